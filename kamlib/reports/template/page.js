"use strict";
document.querySelectorAll(".kam-table").forEach((box) => {
  const body = box.querySelector("tbody"), heads = [...box.querySelectorAll("th")];
  if (!body) return;
  const limit = Number(box.dataset.rows), count = box.querySelector(".kam-count"), rows = [...body.rows];
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
  all.textContent = `Show all ${rows.length} rows`;
  all.addEventListener("click", () => {
    const open = box.classList.toggle("all");
    all.textContent = open ? `Show ${limit} rows` : `Show all ${rows.length} rows`;
    count.firstChild.textContent = open ? `${rows.length} rows.` : `${limit} of ${rows.length} rows shown.`;
  });
  tools.append(find, all);
  box.prepend(tools);
});
if (window.matchMedia("(max-width: 70rem)").matches) document.querySelectorAll(".contents details").forEach((d) => { d.open = false; });
