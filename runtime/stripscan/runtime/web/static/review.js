import { $, UNKNOWN, badge, classTitle, complain, element, figure, get, mark, mayReview, number,
  post, t, word } from "./common.js";

const AT_ONCE = 100;
const state = { coil: null, queue: [], at: 0, total: 0, offset: 0, reviews: new Map() };
const known = (name) => state.coil.classes.find((c) => c.name === name) ?? { ...UNKNOWN, name };
const current = () => state.queue[state.at];

async function open(id) {
  state.coil = await get("/api/coil", { coil: id });
  const said = await get("/api/reviews", { coil: id });
  state.reviews = new Map(said.map((review) => [review.number, review]));
  history.replaceState(null, "", `/review?id=${encodeURIComponent(id)}`);
  const link = $("export");
  if (link) link.href = `/api/relabel?coil=${encodeURIComponent(id)}`;
  makeClasses();
  await fill();
}
async function fill() {
  state.queue = [];
  state.at = 0;
  state.offset = 0;
  await more();
  await show();
}
/** Add a page to the queue; pages that are all reviewed are passed over. */
async function more() {
  const sort = $("sort").value;
  do {
    const { total, defects } = await get("/api/defects", { coil: state.coil.id, sort,
      falling: sort === "severity", offset: state.offset, limit: AT_ONCE });
    state.total = total;
    state.offset += AT_ONCE;
    const wanted = defects.filter((d) => !$("undone").checked || !state.reviews.has(d.number));
    state.queue.push(...wanted);
    if (wanted.length) return;
  } while (state.offset < state.total);
}
async function show() {
  $("progress").textContent = state.coil.status === "running" ? t("review.running")
    : t("review.progress", { done: number(state.reviews.size), total: number(state.total) });
  const d = current();
  for (const id of ["confirm", "reject", "undo"]) $(id).disabled = !d || !mayReview;
  for (const button of $("reclass").children) button.disabled = !d || !mayReview;
  if (!d) {
    $("what").textContent = t("review.nothing");
    $("picture").replaceChildren();
    $("figures").replaceChildren();
    return;
  }
  const c = known(d.class_name);
  $("what").replaceChildren(`№ ${d.number} · `, mark(c), ` ${classTitle(c)} `, badge(d.severity));
  const review = state.reviews.get(d.number);
  const facts = [["one.surface", word("surface", d.surface)], ["one.confidence", `${number(d.confidence * 100)} %`], ["one.along", `${number(d.along_start_m, 2)} m`],
    ["one.across", `${number(d.across_left_mm, 1)} – ${number(d.across_right_mm, 1)} mm`],
    ["one.size", `${number(d.length_mm, 1)} × ${number(d.width_mm, 1)} mm`], ["one.area", `${number(d.area_mm2, 1)} mm²`]];
  $("figures").replaceChildren(element("table", {}, element("tbody", {}, ...facts.map(([key, value]) =>
    element("tr", {}, element("th", { scope: "row" }, t(key)), element("td", { className: "n" }, value))))),
  ...(review ? [element("p", { className: "said" }, t(`review.is.${review.verdict}`,
    { user: review.user, class_name: word("class", review.class_name) }))] : []));
  try {
    const found = (await get("/api/pictures", { coil: state.coil.id, number: d.number }))[d.number];
    if (current() === d && found) $("picture").replaceChildren(figure(found, c));
    document.body.dataset.shown = d.number;
  } catch (error) { complain(error); }
}
async function say(verdict, class_name = "") {
  const d = current();
  if (!d || !mayReview || saving) return;
  saving = true;
  try {
    const review = await post("/api/reviews", { coil: state.coil.id, number: d.number, verdict, class_name });
    if (verdict === "undo") state.reviews.delete(d.number);
    else state.reviews.set(d.number, review);
    document.body.dataset.reviewed = `${d.number} ${verdict}`;
    if (verdict === "undo") await show();
    else await step(1);
  } catch (error) { complain(error); } finally { saving = false; }
}
let saving = false;
async function step(by) {
  state.at = Math.max(state.at + by, 0);
  if (state.at >= state.queue.length && state.offset < state.total) await more();
  state.at = Math.min(state.at, state.queue.length);
  await show();
}
function makeClasses() {
  $("reclass").replaceChildren(...state.coil.classes.map((c) => {
    const button = element("button", { type: "button", "aria-keyshortcuts": String(c.id) },
      element("kbd", {}, String(c.id)), mark(c), classTitle(c));
    button.onclick = () => say("reclass", c.name);
    return button;
  }));
}
function outline(shown) {
  $("outline").checked = shown;
  $("picture").classList.toggle("no-outline", !shown);
}
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("select, input:not([type=checkbox])")) return;
  const key = event.key.toLowerCase();
  const c = state.coil?.classes.find((each) => String(each.id) === key);
  const acts = { c: () => say("confirm"), r: () => say("reject"), u: () => say("undo"),
    arrowright: () => step(1), arrowleft: () => step(-1), m: () => outline(!$("outline").checked) };
  const act = c ? () => say("reclass", c.name) : acts[key];
  if (act) { event.preventDefault(); act(); }
});
$("confirm").onclick = () => say("confirm");
$("reject").onclick = () => say("reject");
$("undo").onclick = () => say("undo");
$("back").onclick = () => step(-1);
$("next").onclick = () => step(1);
$("outline").onchange = (event) => outline(event.target.checked);
$("sort").onchange = () => fill().catch(complain);
$("undone").onchange = () => fill().catch(complain);
$("coil").onchange = (event) => open(event.target.value).catch(complain);

async function start() {
  const { coils } = await get("/api/coils", { limit: 200 });
  if (!coils.length) { $("what").textContent = t("coil.no_coil"); return; }
  const id = new URLSearchParams(location.search).get("id")
    ?? (coils.find((c) => c.status !== "running") ?? coils[0]).id;
  const ids = [...new Set([id, ...coils.map((c) => c.id)])];
  $("coil").replaceChildren(...ids.map((each) => element("option", { value: each, selected: each === id }, each)));
  await open(id);
}
start().catch(complain);
