// The page asks /api/status every two seconds, and /api/lookup and /api/explain when told to.
"use strict";

const EVERY_MS = 2000;
const SAMPLES = 150;
const MOST_PARTITIONS = 100;
const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);

// Elements. All text goes in as text, never as HTML.
function el(name, attributes = {}, ...children) {
  const element = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") element.addEventListener("click", value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}
const pill = (text, kind) => el("span", { class: "pill " + kind }, text);
const quiet = (...text) => el("span", { class: "quiet" }, ...text);

// Texts.
function duration(ms) {
  if (ms === null || ms === undefined) return "not known";
  if (ms < 10) return (Math.round(ms * 100) / 100) + " ms";
  if (ms < 10_000 && ms % 1000 !== 0) return Math.round(ms) + " ms";
  if (ms >= 60_000 && ms % 3_600_000 === 0 && ms < 172_800_000) return ms / 3_600_000 + " h";
  if (ms >= 60_000 && ms % 60_000 === 0 && ms < 7_200_000) return ms / 60_000 + " min";
  if (ms < 120_000) return Number((ms / 1000).toFixed(1)) + " s";
  if (ms < 7_200_000) return Math.round(ms / 60_000) + " min";
  if (ms < 172_800_000) return Math.round(ms / 3_600_000) + " h";
  return Math.round(ms / 86_400_000) + " d";
}
const number = (n) => n.toLocaleString("en", { maximumFractionDigits: n < 100 ? 1 : 0 });
const percent = (part) => (100 * part).toFixed(1) + " %";
const time = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ") + " UTC";
const shown = (value) => value === null ? "–" : String(value);
// Of a feature; all its digits stand in the tooltip.
const rounded = (value) => typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(7))) : shown(value);

// Parts of the page.
function areaChart(values) {
  const known = values.filter((v) => v !== null);
  const top = Math.max(...known, 1e-9) * 1.08;
  const x = (i) => 100 * (SAMPLES - values.length + i) / (SAMPLES - 1);
  const y = (v) => 30 - 29 * v / top;
  let line = "", area = "", begin = null;
  values.forEach((v, i) => {
    if (v === null) { begin = null; return; }
    if (begin === null) { begin = x(i); line += `M${x(i)} ${y(v)}`; area += `M${x(i)} 30`; }
    line += `L${x(i)} ${y(v)}`;
    area += `L${x(i)} ${y(v)}`;
    if (i + 1 === values.length || values[i + 1] === null) area += `L${x(i)} 30Z`;
  });
  return el("svg:svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" },
    el("svg:path", { class: "area", d: area }), el("svg:path", { class: "line", d: line }));
}

function chart(title, values, text) {
  const last = values.length ? values[values.length - 1] : null;
  const most = Math.max(...values.filter((v) => v !== null), 0);
  return el("figure", { class: "chart" },
    el("figcaption", {}, quiet(title), el("strong", {}, last === null ? "–" : text(last))),
    areaChart(values), quiet("at most ", text(most)));
}

function showActivity({ activity }) {
  $("activity").replaceChildren(
    chart("Events", activity.events_per_s, (v) => number(v) + "/s"),
    chart("Look-ups", activity.lookups_per_s, (v) => number(v) + "/s"),
    chart("Event to readable, p99", activity.readable_p99_ms, duration),
    chart("Look-up, p99", activity.lookup_p99_ms, duration));
}

const STATES = {
  kept: ["fresh", "good"], in_breach: ["in breach", "bad"], not_known: ["not known yet", "warn"], no_objective: ["no limit", ""],
};

// Of a feature with a limit of its own.
function ownLimit({ name, objective }) {
  const [text, kind] = STATES[objective.state];
  return el("div", { class: "title own" }, el("span", {}, name),
    el("span", {}, quiet("may be ", duration(objective.max_staleness_ms), ", in breach ", percent(objective.burnt["1d"]), " of 1d"), " ", pill(text, kind)));
}

function viewCard(view) {
  const [text, kind] = STATES[view.state];
  const limit = view.max_staleness_ms;
  const part = limit === null || view.staleness_ms === null ? 1 : Math.min(1, view.staleness_ms / limit);
  const since = view.in_breach_since_ms === null ? "" : " since " + time(view.in_breach_since_ms);
  const meter = el("div", { class: "meter" + (kind === "bad" ? " bad" : ""), "aria-hidden": "true" }, el("i"));
  meter.firstChild.style.width = 100 * part + "%";
  return el("li", {},
    el("div", { class: "title" }, el("strong", {}, view.name), pill(text + since, kind)),
    view.shed ? el("p", { class: "reason" }, "left out for others of its source, incomplete meanwhile") : null,
    limit === null ? null : meter,
    el("div", { class: "title" },
      el("span", { class: "number" }, view.staleness_ms === null ? "staleness not known" : duration(view.staleness_ms) + " behind"),
      quiet(limit === null ? "may be as stale as it likes" : "may be " + duration(limit))),
    limit === null ? null : el("div", { class: "burnt quiet number" }, el("span", {}, "in breach"),
      ...Object.entries(view.burnt).map(([over, burnt]) => el("span", {}, percent(burnt) + " of " + over))),
    ...view.features.filter((feature) => feature.objective).map(ownLimit),
    view.state === "in_breach" && view.reason ? el("p", { class: "reason" }, view.reason) : null);
}

function partitionRow(p) {
  const kind = { running: "good", failed: "bad", starting: "warn", unowned: "bad", elsewhere: "" }[p.state];
  return el("tr", {},
    el("th", { scope: "row" }, p.topic + "/" + p.partition),
    el("td", {}, pill(p.state, kind), p.error === null ? null : el("p", { class: "reason" }, p.error)),
    el("td", { class: "right" }, p.lag === null ? "–" : number(p.lag)),
    el("td", { class: "right" }, p.behind_ms === null ? "–" : duration(p.behind_ms)),
    el("td", { class: "right wide" }, p.entities === null ? "–" : number(p.entities)),
    el("td", { class: "wide" }, shown(p.owner)));
}

function showPartitions({ partitions }) {
  const behind = (p) => [p.state === "failed" ? 0 : 1, -(p.lag ?? 0), -(p.behind_ms ?? Infinity)];
  let those = partitions;
  if (those.length > MOST_PARTITIONS)
    those = [...those].sort((a, b) => behind(a).map((v, i) => v - behind(b)[i]).find((d) => d) ?? 0).slice(0, MOST_PARTITIONS);
  const left = partitions.length - those.length;
  const head = [["Partition", ""], ["State", ""], ["Lag", "right"], ["Behind", "right"], ["Entities", "right wide"], ["Owner", "wide"]];
  $("partitions").replaceChildren(those.length === 0 ? quiet("none is known") : el("table", {},
    el("thead", {}, el("tr", {}, ...head.map(([name, kind]) => el("th", { scope: "col", class: kind }, name)))),
    el("tbody", {}, ...those.map(partitionRow))),
    left > 0 ? quiet(number(left) + " more, less far behind") : "");
}

function showTransitions({ transitions }) {
  $("transitions").replaceChildren(...(transitions.length === 0 ? [el("li", { class: "quiet" }, "none since the node's start")]
    : transitions.map((t) => el("li", {}, pill(t.in_breach ? "breach" : "fresh", t.in_breach ? "bad" : "good"), " ",
      quiet(time(t.at_ms)), " ", t.text))));
}

function showTroubles(texts) {
  const now = [...$("troubles").children].map((li) => li.textContent);
  if (now.join("\n") !== texts.join("\n")) $("troubles").replaceChildren(...texts.map((text) => el("li", {}, text)));
}

function showReady(text, kind) {
  if ($("ready").textContent !== text) $("ready").textContent = text;
  $("ready").className = "pill " + kind;
}

function show(status) {
  $("node").textContent = `${status.node} · ${status.version} · ${status.roles.join(", ")} · up ${duration(1000 * status.uptime_s)}`;
  showReady(status.ready ? "ready" : status.phase === "running" ? "not ready" : status.phase, status.ready ? "good" : "bad");
  showTroubles(status.not_ready_because);
  showActivity(status);
  $("views").replaceChildren(...status.views.map(viewCard));
  showPartitions(status);
  showTransitions(status);
  offerViews(status);
}

// Look-ups.
let views = null;  // by name, once they are known

function offerViews(status) {
  if (views) return;
  views = new Map(status.views.map((view) => [view.name, view]));
  const form = $("lookup");
  form.view.replaceChildren(...status.views.map((view) => el("option", {}, view.name)));
  form.view.addEventListener("change", () => offerColumns());
  offerColumns();
  form.addEventListener("submit", (event) => { event.preventDefault(); remember(); });
  window.addEventListener("hashchange", lookUpByAddress);
  if (!status.lookups) say("this node answers no look-ups");
  else if (!status.lookups.gives_values) say("values of entities are not given here: see docs/security.md, metrics.listen");
  else lookUpByAddress();
}

function offerColumns(entity = []) {
  const view = views.get($("lookup").view.value);
  $("columns").replaceChildren(...(view ? view.entity : []).map((column, i) =>
    el("label", {}, column, el("input", { name: "entity", required: true, autocomplete: "off", autocapitalize: "off",
                                          spellcheck: "false", value: entity[i] ?? "" }))));
}

// What is looked up stands in the page's address, so that it can be passed on.
function remember() {
  const form = $("lookup");
  const asked = new URLSearchParams([["view", form.view.value]]);
  for (const input of form.querySelectorAll("[name=entity]")) asked.append("entity", input.value);
  if ("#" + asked === location.hash) lookUp(asked);
  else location.hash = asked;
}

function lookUpByAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (!views.has(asked.get("view"))) return;
  $("lookup").view.value = asked.get("view");
  offerColumns(asked.getAll("entity"));
  lookUp(asked);
}

const say = (text) => $("answer").replaceChildren(el("p", { class: "trouble" }, text));

async function ask(path) {
  // Without the user and password that the page's own address may hold: fetch() refuses those.
  const response = await fetch(new URL(path, location.origin + location.pathname), { signal: AbortSignal.timeout(10_000) });
  const isJson = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
  const answer = isJson ? await response.json() : { error: { message: (await response.text()).trim() } };
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

async function lookUp(asked) {
  try {
    showAnswer(await ask("api/lookup?" + asked), asked);
  } catch (error) {
    say(error.message);
  }
}

function statusPill(status) {
  return pill(status, status === "fresh" ? "good" : status === "stale" || status === "overflow" ? "bad" : "warn");
}

function showAnswer(answer, asked) {
  const windows = new Map(views.get(answer.view).features.map((feature) => [feature.name, feature]));
  const rows = Object.keys(answer.values).flatMap((name) => {
    const feature = windows.get(name);
    const about = el("tr", { hidden: true }, el("td", { colspan: 3 }));
    const value = el("button", { class: "value", type: "button", "aria-expanded": "false", title: shown(answer.values[name]) + ": what stands behind it",
                                 onclick: () => toggleTiles(value, about, asked, name) }, rounded(answer.values[name]));
    return [el("tr", {},
      el("th", { scope: "row" }, name, el("br"),
        quiet(feature ? `${feature.function}${feature.field ? " of " + feature.field : ""}, ${feature.window_ms === null ? "all time" : duration(feature.window_ms)}` : "")),
      el("td", {}, value), el("td", {}, statusPill(answer.statuses[name]))), about];
  });
  $("answer").replaceChildren(
    el("p", {}, el("strong", {}, answer.entity.join(" | ")), " ",
      quiet(answer.staleness_ms === null ? "staleness not known" : duration(answer.staleness_ms) + " behind",
        answer.newest_event_ms === null ? ", no event" : ", newest event " + time(answer.newest_event_ms))),
    el("table", {}, el("thead", {}, el("tr", {}, ...["Feature", "Value", "Status"].map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, ...rows)));
}

async function toggleTiles(button, row, asked, feature) {
  row.hidden = !row.hidden;
  button.setAttribute("aria-expanded", String(!row.hidden));
  if (row.hidden) return;
  const cell = row.firstChild;
  cell.replaceChildren(quiet("asking …"));
  try {
    const explained = await ask("api/explain?" + asked + "&" + new URLSearchParams({ feature }));
    cell.replaceChildren(el("div", { class: "why" }, ...whyElements(explained)));
  } catch (error) {
    cell.replaceChildren(el("p", { class: "reason" }, error.message));
  }
}

function whyElements(explained) {
  const window = explained.window_ms === null ? "all time" : duration(explained.window_ms);
  const said = el("p", { class: "quiet" }, `${window} up to ${explained.at_ms === null ? "no event yet" : time(explained.at_ms)}, ` +
    `in tiles of ${duration(explained.hop_ms)}; from ${explained.origins.length} partition${explained.origins.length === 1 ? "" : "s"}:`);
  const origins = explained.origins.sort((a, b) => a.partition - b.partition);
  return [said, el("div", { class: "origins" }, ...origins.map((origin) => originFigure(origin, explained)))];
}

function originFigure(origin, { hop_ms, window_ms, first_tile, last_tile }) {
  const short = window_ms !== null && window_ms <= 86_400_000;  // the day goes without saying
  const end = (tile) => short ? time(tile * hop_ms).slice(11, 16) : time(tile * hop_ms).slice(0, 10);
  const newest = short ? time(origin.newest_event_ms).slice(11, 19) : time(origin.newest_event_ms);
  const merged = origin.merged === null ? "" : `; ${number(origin.merged.tiles)} sealed tiles are kept merged`;
  const rows = origin.tiles.map((tile) => el("tr", {}, el("td", {}, time(tile.from_ms)), el("td", { class: "right" }, tile.value)));
  return el("figure", {},
    el("figcaption", {}, `partition ${origin.partition}, `,
      quiet(`${number(origin.tiles.length)} tiles with events${merged}; newest event ${newest}; ` +
            `counted by ${origin.owner || "nobody"} up to offset ${origin.stamp_offset}`)),
    tileBars(origin.tiles, first_tile, last_tile),
    first_tile === null ? null : el("div", { class: "ends quiet", "aria-hidden": "true" },
      el("span", {}, end(first_tile)), el("span", {}, end(last_tile))),
    el("details", {}, el("summary", {}, "as a table"),
      el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Tile from"), el("th", { scope: "col", class: "right" }, "Value"))),
        el("tbody", {}, ...rows))));
}

// Values that are no numbers have no bars; the table has them.
function tileBars(tiles, first, last) {
  const numbers = tiles.map((tile) => Number(tile.value));
  if (first === null || tiles.length === 0 || numbers.some(Number.isNaN)) return null;
  const width = 100 / (last - first + 1);
  const top = Math.max(...numbers, 0), low = Math.min(...numbers, 0);
  const y = (v) => 30 - 30 * (v - low) / (top - low || 1);
  return el("svg:svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" },
    ...tiles.map((tile, i) => el("svg:rect", {
      x: (tile.number - first) * width + 0.1 * width, width: 0.8 * width,
      y: Math.min(y(numbers[i]), y(0)), height: Math.max(0.6, Math.abs(y(numbers[i]) - y(0))),
    }, el("svg:title", {}, time(tile.from_ms) + ": " + tile.value))));
}

async function poll() {
  try {
    if (!document.hidden) show(await ask("api/status"));
  } catch (error) {
    showReady("no answer", "bad");
    showTroubles(["this node does not answer: " + error.message]);
  }
  setTimeout(poll, EVERY_MS);
}
poll();
