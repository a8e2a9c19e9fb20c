"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const { lengthM, widthMm, classes, severities, coverage, rolls, defects, pictures } = page;
  const $ = (id) => document.getElementById(id);
  const total = defects.number.length;
  const endM = Math.max(lengthM, 0.001);
  const side = (i) => (defects.surface ? `, ${defects.surface[i]}` : "");
  const edge = defects.edgeLeft.map((left, i) => Math.min(left, defects.edgeRight[i]));
  const columns = { ...defects, edge };
  const cameras = [...new Set(coverage.map((span) => span[0]))];
  const PAGE = 100;
  const PRINTED = 300;
  const PRINT_W = 1200;
  const state = { from: 0, to: endM, sort: null, down: false, limit: PAGE, chosen: -1, shown: [], printing: false };

  const number = (value, decimals = 0) =>
    value.toLocaleString("en-GB", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const checked = (id) =>
    new Set([...document.querySelectorAll(`#${id} input:checked`)].map((box) => Number(box.value)));

  classes.forEach((c, i) => document.documentElement.style.setProperty(`--class-${i}`, c.colour));

  // ---- what is shown -------------------------------------------------------------------------
  function filtered() {
    const wantedClass = checked("class-filter");
    const wantedSeverity = checked("severity-filter");
    const found = [];
    for (let i = 0; i < total; i++) {
      if (wantedClass.has(defects.class[i]) && wantedSeverity.has(defects.severity[i])) found.push(i);
    }
    return found;
  }

  // ---- axes ----------------------------------------------------------------------------------
  function ticks(from, to, wanted) {
    const rough = (to - from) / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((f) => f * power >= rough) * power;
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const found = [];
    for (let k = Math.ceil(from / step - 1e-9) + 0; k * step <= to + step * 1e-9; k++) {
      found.push([k * step, number(k * step + 0, decimals)]);
    }
    return found;
  }
  const LEFT = 64, RIGHT = 14, TOP = 8, LANE_H = 16;
  const hatch = (status, angle) =>
    `<pattern id="h-${status}" width="6" height="6" patternUnits="userSpaceOnUse" ` +
    `patternTransform="rotate(${angle})"><rect width="6" height="6" fill="var(--${status})" ` +
    `opacity=".45"/><rect width="4" height="6" fill="var(--${status})"/></pattern>`;

  // ---- the map -------------------------------------------------------------------------------
  // Numbers only go into this markup; names are set as text elsewhere.
  function drawMap() {
    const svg = $("map");
    const mapH = state.printing ? 210 : 290;
    const width = state.printing ? PRINT_W : Math.max(320, svg.clientWidth);
    const inner = width - LEFT - RIGHT;
    const bottom = TOP + mapH;
    const lanes = bottom + 8;
    const axis = lanes + cameras.length * (LANE_H + 3) + 2;
    const height = axis + 36;
    const x = (m) => LEFT + ((m - state.from) / (state.to - state.from)) * inner;
    const y = (mm) => TOP + (mm / widthMm) * mapH;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.aspectRatio = `${width} / ${height}`;
    const out = [
      `<defs>${hatch("degraded", 0)}${hatch("dropped", 45)}${hatch("unknown", -45)}` +
        `<clipPath id="clip"><rect x="${LEFT}" y="0" width="${inner}" height="${axis}"/></clipPath></defs>`,
      `<rect class="strip" x="${LEFT}" y="${TOP}" width="${inner}" height="${mapH}"/>`,
    ];
    for (const [mm, label] of ticks(0, widthMm, 6)) {
      out.push(
        `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${y(mm)}" y2="${y(mm)}"/>`,
        `<text x="${LEFT - 8}" y="${y(mm) + 4}" text-anchor="end">${label}</text>`);
    }
    for (const [m, label] of ticks(state.from, state.to, Math.max(3, inner / 110))) {
      out.push(
        `<line class="grid" x1="${x(m)}" x2="${x(m)}" y1="${TOP}" y2="${bottom}"/>`,
        `<text x="${x(m)}" y="${axis + 12}" text-anchor="middle">${label}</text>`);
    }
    out.push(
      `<text class="title" x="${LEFT + inner / 2}" y="${axis + 30}" text-anchor="middle">along, m from the head</text>`,
      `<text class="title" transform="translate(13 ${TOP + mapH / 2}) rotate(-90)" text-anchor="middle">across, mm from the left edge</text>`,
      `<g clip-path="url(#clip)">`);
    coverage.forEach(([camera, start, end, status], k) => {
      if (end < state.from || start > state.to) return;
      const lane = lanes + cameras.indexOf(camera) * (LANE_H + 3);
      const wide = Math.max(x(end) - x(start), status === "inspected" ? 0 : 3);
      const at = `x="${x(start)}" width="${wide}"`;
      out.push(`<rect class="c-${status}" data-k="${k}" ${at} y="${lane}" height="${LANE_H}"/>`);
      if (status !== "inspected") {
        out.push(`<rect class="c-${status} veil" ${at} y="${TOP}" height="${mapH}"/>`);
      }
    });
    for (const [first, last, across] of rolls) {
      out.push(`<line class="roll" x1="${x(first)}" x2="${x(last)}" y1="${y(across)}" y2="${y(across)}"/>`);
    }
    // The worst is drawn last, so that nothing covers it.
    for (let n = state.shown.length - 1; n >= 0; n--) {
      const i = state.shown[n];
      if (defects.end[i] < state.from || defects.start[i] > state.to) continue;
      out.push(`<rect class="d s${defects.severity[i]}" data-i="${i}" ${box(i, x, y)} fill="var(--class-${defects.class[i]})"/>`);
    }
    if (state.chosen >= 0) out.push(`<rect class="chosen" ${box(state.chosen, x, y, 10)}/>`);
    out.push("</g>");
    svg.innerHTML = out.join("");
    const acrossMmPx = widthMm / mapH;
    const alongMmPx = ((state.to - state.from) * 1000) / inner;
    const ratio = alongMmPx / acrossMmPx;
    $("scale").textContent = ratio >= 1
      ? `along is compressed ${number(ratio, ratio < 10 ? 1 : 0)} times against across`
      : `along is stretched ${number(1 / ratio, 1)} times against across`;
  }
  function box(i, x, y, grow = 0) {
    const wide = Math.max(3, x(defects.end[i]) - x(defects.start[i])) + grow;
    const high = Math.max(3, y(defects.right[i]) - y(defects.left[i])) + grow;
    const cx = (x(defects.end[i]) + x(defects.start[i])) / 2;
    const cy = (y(defects.right[i]) + y(defects.left[i])) / 2;
    const f = (v) => v.toFixed(1);
    return `x="${f(cx - wide / 2)}" y="${f(cy - high / 2)}" width="${f(wide)}" height="${f(high)}"`;
  }

  // ---- the overview: density along the whole coil, and the window that the map shows ----------
  const OVER_H = 62;
  function drawOverview() {
    const svg = $("overview");
    const width = state.printing ? PRINT_W : Math.max(320, svg.clientWidth);
    const inner = width - LEFT - RIGHT;
    const bins = Math.max(40, Math.floor(inner / 7));
    const counts = new Array(bins).fill(0);
    for (const i of state.shown) {
      const middle = (defects.start[i] + defects.end[i]) / 2;
      counts[Math.min(bins - 1, Math.max(0, Math.floor((middle / endM) * bins)))]++;
    }
    const most = Math.max(1, ...counts);
    svg.setAttribute("viewBox", `0 0 ${width} ${OVER_H + 20}`);
    svg.style.aspectRatio = `${width} / ${OVER_H + 20}`;
    const perM = bins / endM;
    const x = (m) => LEFT + (m / endM) * inner;
    const out = [
      `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${OVER_H}" y2="${OVER_H}"/>`,
      `<text x="${LEFT - 8}" y="16" text-anchor="end">${number(most * perM, most * perM < 10 ? 1 : 0)}</text>`,
      `<text x="${LEFT - 8}" y="${OVER_H}" text-anchor="end">0</text>`,
      `<text class="title" transform="translate(13 ${OVER_H / 2 + 4}) rotate(-90)" text-anchor="middle">per m</text>`,
    ];
    counts.forEach((count, k) => {
      if (!count) return;
      const high = Math.max(1.5, (count / most) * (OVER_H - 8));
      out.push(`<rect class="bin" x="${LEFT + (k * inner) / bins + 0.5}" width="${inner / bins - 1}" y="${OVER_H - high}" height="${high}"/>`);
    });
    const middle = LEFT + inner / 2;
    out.push(
      `<rect class="window" x="${x(state.from)}" y="2" width="${Math.max(3, x(state.to) - x(state.from))}" height="${OVER_H - 1}"/>`,
      `<text x="${LEFT}" y="${OVER_H + 15}">head</text>`,
      `<text x="${middle}" y="${OVER_H + 15}" text-anchor="middle">drag here to choose a stretch</text>`,
      `<text x="${width - RIGHT}" y="${OVER_H + 15}" text-anchor="end">tail, ${number(lengthM, 1)} m</text>`);
    svg.innerHTML = out.join("");
  }

  // ---- the list ------------------------------------------------------------------------------
  function figure(i) {
    const picture = pictures[defects.number[i]];
    if (!picture) return [];
    const [uri, width, height, outline] = picture;
    const image = element("img", { src: uri, alt: "", width, height });
    if (!outline) return [image];
    const holder = element("div");
    holder.innerHTML =
      `<svg viewBox="0 0 ${width} ${height}"><path class="under"/><path class="over"/></svg>`;
    for (const path of holder.querySelectorAll("path")) path.setAttribute("d", outline);
    holder.querySelector(".over").style.stroke = classes[defects.class[i]].colour;
    return [image, holder.firstChild];
  }
  const severityBadge = (i) => {
    const name = severities[defects.severity[i]];
    return element("span", { className: `badge badge-${name}`, textContent: name });
  };
  function row(i) {
    const cell = (text, className = "n") => element("td", { className, textContent: text });
    const go = element("button", { className: "go", type: "button", title: "Show on the map" });
    go.textContent = number(defects.start[i], 2);
    go.dataset.go = i;
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = classes[defects.class[i]].colour;
    const made = element("tr", { id: `d${i}`, className: i === state.chosen ? "chosen" : "" },
      cell(defects.number[i]));
    if (document.querySelector("#outlines")) {
      const inside = figure(i);
      const frame = element("button", { className: "frame", type: "button", title: "Enlarge" }, ...inside);
      frame.dataset.large = i;
      made.append(element("td", {}, ...(inside.length ? [frame] : [])));
    }
    const nearest = defects.edgeLeft[i] <= defects.edgeRight[i] ? "L" : "R";
    made.append(
      element("td", { className: "nowrap" }, swatch, ` ${classes[defects.class[i]].title}`,
        element("span", { className: "conf", textContent: `${number(defects.confidence[i] * 100)} %${side(i)}` })),
      element("td", {}, severityBadge(i)),
      element("td", { className: "n" }, go),
      cell(`${number(defects.left[i])} – ${number(defects.right[i])}`),
      cell(number(defects.length[i], 1)), cell(number(defects.width[i], 1)),
      cell(number(defects.area[i], 1)), cell(`${number(edge[i], 1)} ${nearest}`));
    return made;
  }
  function listed() {
    const text = $("search").value.trim().toLowerCase().replace(/^#/, "");
    const onlyView = $("in-view").checked;
    const found = state.shown.filter((i) =>
      (!onlyView || (defects.end[i] >= state.from && defects.start[i] <= state.to)) &&
      (!text || String(defects.number[i]) === text ||
        `${classes[defects.class[i]].title}${side(i)}`.toLowerCase().includes(text)));
    if (state.sort) {
      const key = columns[state.sort];
      const sign = state.down ? -1 : 1;
      found.sort((a, b) => sign * (key[a] - key[b]) || a - b);
    }
    return found;
  }
  function drawList() {
    const body = document.querySelector("#list tbody");
    if (!body) return;
    const found = listed();
    body.replaceChildren(...found.slice(0, state.limit).map(row));
    $("count").textContent =
      found.length === total ? number(total) : `${number(found.length)} of ${number(total)}`;
    const rest = found.length - state.limit;
    $("more").hidden = rest <= 0;
    $("more").textContent = `Show ${number(Math.min(PAGE, rest))} more of ${number(Math.max(0, rest))}`;
    for (const head of document.querySelectorAll("#list th[data-key]")) {
      const mine = head.dataset.key === state.sort;
      head.setAttribute("aria-sort", mine ? (state.down ? "descending" : "ascending") : "none");
    }
  }

  // ---- state changes -------------------------------------------------------------------------
  function refresh() {
    state.shown = filtered();
    state.limit = PAGE;
    drawMap(); drawOverview(); drawList();
  }
  let waiting = 0;
  function view(from, to) {
    const least = Math.min(endM, 0.05);
    const span = Math.min(endM, Math.max(least, to - from));
    state.from = Math.min(Math.max(0, from), endM - span);
    state.to = state.from + span;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => {
      $("from").value = state.from.toFixed(2);
      $("to").value = state.to.toFixed(2);
      drawMap(); drawOverview();
      if ($("in-view").checked) drawList();
    });
  }
  const zoom = (factor, at = (state.from + state.to) / 2) =>
    view(at - (at - state.from) * factor, at + (state.to - at) * factor);
  function choose(i) {
    state.chosen = i;
    if (!listed().includes(i)) $("search").value = "";
    const place = listed().indexOf(i);
    if (place >= state.limit) state.limit = Math.ceil((place + 1) / PAGE) * PAGE;
    drawMap(); drawList();
    const found = $(`d${i}`);
    if (found) found.scrollIntoView({ behavior: "smooth", block: "center" });
  }
  function describe(i) {
    return [
      `No. ${defects.number[i]} · ${classes[defects.class[i]].title}, ${number(defects.confidence[i] * 100)} %${side(i)}`,
      `${severities[defects.severity[i]]} · ${number(defects.start[i], 2)} m from the head\n` +
      `${number(defects.left[i])} – ${number(defects.right[i])} mm across\n` +
      `${number(defects.length[i], 1)} × ${number(defects.width[i], 1)} mm, ${number(defects.area[i], 1)} mm²`,
    ];
  }

  // ---- pointer -------------------------------------------------------------------------------
  const tip = $("tip");
  function showTip(event) {
    const { i, k } = event.target.dataset;
    tip.hidden = i === undefined && k === undefined;
    if (tip.hidden) return;
    if (i !== undefined) {
      const [title, text] = describe(Number(i));
      const inside = figure(Number(i));
      tip.replaceChildren(element("b", { textContent: title }), text,
        ...(inside.length ? [element("div", { className: "frame" }, ...inside)] : []));
    } else {
      const [camera, start, end, status, reason] = coverage[k];
      tip.replaceChildren(element("b", { textContent: status }),
        `${number(start, 2)} – ${number(end, 2)} m, camera ${camera}${reason ? `\n${reason}` : ""}`);
    }
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${event.clientY + 14 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 14}px`;
  }
  const metres = (svg, event, from, to) => {
    const { left, width } = svg.getBoundingClientRect();
    return from + ((event.clientX - left - LEFT) / (width - LEFT - RIGHT)) * (to - from);
  };
  const map = $("map");
  let grabbed = null;
  map.addEventListener("pointerdown", (event) => {
    grabbed = { x: event.clientX, from: state.from, to: state.to, moved: false };
  });
  addEventListener("pointermove", (event) => {
    if (!grabbed) return;
    const shift = event.clientX - grabbed.x;
    if (Math.abs(shift) < 4 && !grabbed.moved) return;
    grabbed.moved = true;
    map.classList.add("drag");
    const perPx = (grabbed.to - grabbed.from) / (map.clientWidth - LEFT - RIGHT);
    view(grabbed.from - shift * perPx, grabbed.to - shift * perPx);
  });
  addEventListener("pointerup", (event) => {
    const moved = grabbed?.moved;
    if (grabbed && !moved && event.target.dataset?.i !== undefined) choose(Number(event.target.dataset.i));
    grabbed = null;
    map.classList.remove("drag");
  });
  map.addEventListener("pointermove", (event) => { if (!grabbed?.moved) showTip(event); });
  map.addEventListener("pointerleave", () => { tip.hidden = true; });
  map.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
    event.preventDefault();
    const amount = event.deltaY || event.deltaX;
    zoom(amount > 0 ? 1.25 : 0.8, metres(map, event, state.from, state.to));
  }, { passive: false });
  map.addEventListener("dblclick", (event) => zoom(0.4, metres(map, event, state.from, state.to)));

  const overview = $("overview");
  let brush = null;
  overview.addEventListener("pointerdown", (event) => {
    brush = metres(overview, event, 0, endM);
    overview.setPointerCapture(event.pointerId);
  });
  overview.addEventListener("pointermove", (event) => {
    if (brush === null) return;
    const now = metres(overview, event, 0, endM);
    if (Math.abs(now - brush) > endM / 200) view(Math.min(brush, now), Math.max(brush, now));
  });
  overview.addEventListener("pointerup", (event) => {
    const now = metres(overview, event, 0, endM);
    const half = (state.to - state.from) / 2;
    if (brush !== null && Math.abs(now - brush) <= endM / 200 && half < endM / 2) view(now - half, now + half);
    brush = null;
  });

  // ---- controls ------------------------------------------------------------------------------
  $("in").onclick = () => zoom(0.5);
  $("out").onclick = () => zoom(2);
  $("whole").onclick = () => view(0, endM);
  for (const id of ["from", "to"]) {
    $(id).onchange = () => {
      const from = Number($("from").value);
      const to = Number($("to").value);
      view(from, to > from ? to : endM);
    };
  }
  for (const id of ["class-filter", "severity-filter"]) $(id).onchange = refresh;
  for (const id of ["search", "in-view"]) {
    $(id).oninput = () => { state.limit = PAGE; drawList(); };
  }
  if ($("outlines")) {
    $("outlines").onchange = (event) => document.body.classList.toggle("no-outlines", !event.target.checked);
  }
  if ($("more")) $("more").onclick = () => { state.limit += PAGE; drawList(); };
  for (const head of document.querySelectorAll("#list th[data-key] [role=button]")) {
    head.onclick = () => {
      const key = head.parentElement.dataset.key;
      // Large figures matter first; names, positions and distances start small.
      const first = ["length", "width", "area"].includes(key);
      state.down = state.sort === key ? !state.down : first;
      state.sort = key;
      drawList();
    };
    head.onkeydown = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      head.click();
    };
  }
  document.querySelector("#list tbody")?.addEventListener("click", (event) => {
    const go = event.target.closest("[data-go]");
    const frame = event.target.closest("[data-large]");
    if (go) {
      const i = Number(go.dataset.go);
      const half = Math.max((state.to - state.from) / 2, defects.end[i] - defects.start[i]);
      const middle = (defects.start[i] + defects.end[i]) / 2;
      state.chosen = i;
      if (half < endM / 2) view(middle - half, middle + half);
      drawMap(); drawList();
      $("map-card").scrollIntoView({ behavior: "smooth" });
    } else if (frame) {
      const i = Number(frame.dataset.large);
      const dialog = $("large");
      dialog.querySelector("div").replaceChildren(...figure(i));
      dialog.querySelector("p").textContent = describe(i).join("\n");
      dialog.showModal();
    }
  });
  $("large").addEventListener("click", (event) => { if (event.target === $("large")) $("large").close(); });
  addEventListener("beforeprint", () => {
    state.printing = true;
    state.limit = Math.max(state.limit, PRINTED);
    drawMap(); drawOverview(); drawList();
  });
  addEventListener("afterprint", () => {
    state.printing = false;
    drawMap(); drawOverview();
  });
  let last = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== last) { last = innerWidth; drawMap(); drawOverview(); }
  });

  view(0, endM);
  refresh();
})();
