import { $, complain, element, get, moment, number, t, word } from "./common.js";

const form = $("search");
let offset = 0, round = 0;

function row(coil) {
  const grade = coil.grade ?? "none";
  return element("tr", {},
    element("td", {}, element("a", { href: `/coil?id=${encodeURIComponent(coil.id)}` }, coil.id)),
    element("td", {}, moment(coil.started_at)),
    element("td", { className: "n" }, coil.length_m === null ? "–" : `${number(coil.length_m, 1)} m`),
    element("td", {}, word("status", coil.status)),
    element("td", {}, element("span", { className: `grade ${grade}` }, t(`grade.${grade}`))));
}
async function search(more = false) {
  const mine = ++round;
  if (!more) offset = 0;
  const given = Object.fromEntries(new FormData(form));
  try {
    const { total, coils } = await get("/api/coils", { ...given, offset, limit: 100 });
    if (mine !== round) return;
    const rows = coils.map(row);
    if (more) $("coils").append(...rows);
    else $("coils").replaceChildren(...rows);
    offset += coils.length;
    $("found").textContent = t("history.found", { count: number(total) });
    $("more").hidden = offset >= total;
  } catch (error) { complain(error); }
}
let timer = 0;
form.oninput = () => { clearTimeout(timer); timer = setTimeout(search, 200); };
form.onsubmit = (event) => { event.preventDefault(); search(); };
$("more").onclick = () => search(true);
search();
