"use strict";
const PHONE_ROWS = 5; // on a phone each row is a card of its own
const isPhone = window.matchMedia("(max-width: 40rem)").matches;
document.querySelectorAll(".kam-table").forEach((box) => {
  const body = box.querySelector("tbody"), heads = [...box.querySelectorAll("th")];
  if (!body) return;
  const limit = Math.min(Number(box.dataset.rows), isPhone && box.matches(".kam-wide") ? PHONE_ROWS : Infinity);
  const count = box.querySelector(".kam-count span"), rows = [...body.rows];
  const wanted = { text: "" };
  const show = () => {
    let seen = 0;
    for (const row of body.rows) {
      const fits = row.textContent.toLocaleLowerCase().includes(wanted.text);
      row.hidden = !fits;
      row.classList.toggle("kam-more", fits && seen >= limit && !wanted.text);
      if (fits) seen += 1;
    }
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const isNumber = !head.matches(".kam-text, .kam-date");
      const before = head.getAttribute("aria-sort");
      const down = before === "descending" || (!before && !isNumber) ? 1 : -1; // numbers: the largest first
      const key = (row) => row.cells[column].dataset.sort;
      const order = (a, b) => {
        const x = key(a), y = key(b);
        if (x === "" || y === "") return (x === "") - (y === "");
        return down * (isNumber ? Number(x) - Number(y) : x.localeCompare(y));
      };
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down === 1 ? "ascending" : "descending");
      body.append(...rows.sort(order));
      show();
    });
  });
  if (rows.length <= limit) return;
  const tools = document.createElement("div"), find = document.createElement("input"), all = document.createElement("button");
  tools.className = "kam-tools";
  find.type = "search";
  find.placeholder = "Find in this table";
  find.setAttribute("aria-label", "Find in this table");
  find.addEventListener("input", () => { wanted.text = find.value.toLocaleLowerCase(); show(); });
  all.type = "button";
  const tell = (open) => {
    all.textContent = open ? `Show ${limit} rows` : `Show all ${rows.length} rows`;
    count.textContent = open ? `${rows.length} rows.` : `${limit} of ${rows.length} rows shown.`;
  };
  all.addEventListener("click", () => tell(box.classList.toggle("all")));
  tools.append(find, all);
  box.prepend(tools);
  show();
  tell(false);
});
if (window.matchMedia("(max-width: 70rem)").matches) document.querySelectorAll(".contents details").forEach((d) => { d.open = false; });
