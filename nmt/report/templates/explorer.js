// The sentences of a report: ordered, searched, filtered, and one at a time. Text from data is only ever set as text.
"use strict";
const AT_ONCE = 25, MOST_CELLS = 2e7, LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const $ = id => document.getElementById(id);
const maker = space => (name, attributes = {}, ...children) => {
  const one = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  one.append(...children);
  return one;
};
const html = maker("http://www.w3.org/1999/xhtml"), svg = maker("http://www.w3.org/2000/svg");
let data, order = [], many = AT_ONCE;

// ---- words that differ

const cutter = new Intl.Segmenter(undefined, { granularity: "word" });
const wordsOf = text => [...cutter.segment(text)].map(part => part.segment);
const blank = word => !word.trim();

/** Which words of `a` belong to a longest common subsequence with `b`. */
function shared(a, b) {
  const width = b.length + 1, kept = new Set();
  if (a.length * b.length > MOST_CELLS) return new Set(a.keys());
  const longest = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
  for (let i = 0, j = 0; i < a.length && j < b.length;)
    if (a[i] === b[j]) { kept.add(i); i++; j++; }
    else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i++;
    else j++;
  return kept;
}

/** The line, with the words marked that its nearest reference lacks. */
function marked(line, references) {
  const parts = wordsOf(line), words = parts.filter(word => !blank(word));
  let kept = new Set();
  for (const reference of references) {
    const found = shared(words, wordsOf(reference).filter(word => !blank(word)));
    if (found.size >= kept.size) kept = found;
  }
  const text = html("span", { class: "text", dir: "auto" });
  let place = 0, run = "", gap = "", differs = false;
  const flush = () => { text.append(differs ? html("mark", {}, run) : run, gap); run = gap = ""; };
  for (const part of parts) {
    if (blank(part)) { gap += part; continue; }
    const now = !kept.has(place++);
    if (now !== differs) flush();
    run += gap + part;
    gap = "";
    differs = now;
  }
  flush();
  return text;
}

// ---- lines of a sentence

const told = (value, digits, sign = "") => value === null ? "–" : (sign && value > 0 ? sign : "") + value.toFixed(digits);
const scoreOf = (row, system, metric) => data.rows[row][2][system][1][metric] ?? null;
function gainOf(row, system, metric) {
  const own = scoreOf(row, system, metric), base = scoreOf(row, 0, metric);
  return own === null || base === null ? null : own - base;
}

function scoreCell(row, system, metric) {
  const cell = html("span", { class: "score" }), [, digits, sign] = data.metrics[metric] ?? [];
  if (digits === undefined) return cell;
  cell.append(told(scoreOf(row, system, metric), digits));
  const gain = system ? gainOf(row, system, metric) : null;
  if (gain) cell.append(" ", html("span", { class: gain * sign > 0 ? "up" : "down" }, `(${told(gain, digits, "+")})`));
  return cell;
}

function linesOf(row, metric) {
  const [source, references, written] = data.rows[row], box = html("div", { class: "lines" });
  const plain = (who, text) => text && box.append(html("span", { class: "who" }, who), html("span", { class: "score" }),
    html("span", { class: "text", dir: "auto" }, text));
  plain("source", source);
  references.forEach((text, place) => plain(references.length > 1 ? `reference ${place + 1}` : "reference", text));
  written.forEach(([line], system) => box.append(html("span", { class: "who", dir: "auto" }, data.systems[system]),
    scoreCell(row, system, metric), marked(line, references)));
  return box;
}

// ---- the list

const less = (a, b) => a === null ? (b === null ? 0 : 1) : b === null ? -1 : a - b;  // what has no number comes last
const length = row => (data.rows[row][0] || data.rows[row][1][0]).length;
const ORDERS = {
  file: ["as in the file", () => row => row],
  gain: ["largest gain", (s, m) => row => { const x = gainOf(row, s, m); return x && -x * data.metrics[m][2]; }],
  loss: ["largest loss", (s, m) => row => { const x = gainOf(row, s, m); return x && x * data.metrics[m][2]; }],
  worst: ["worst", (s, m) => row => { const x = scoreOf(row, s, m); return x && x * data.metrics[m][2]; }],
  longest: ["longest", () => row => -length(row)],
  rarest: ["rarest word", () => row => data.rare[row] ?? null],
};

function refresh() {
  const [key, system, metric] = [$("order").value, +$("system").value, +$("metric").value];
  const sought = $("search").value.toLowerCase(), [grouping, group] = ($("group").value || "-1 0").split(" ").map(Number);
  const inGroup = row => grouping < 0 || data.groups[grouping][1][group][1].has(row);
  const has = ([source, references, written]) =>
    [source, ...references, ...written.map(one => one[0])].some(text => text.toLowerCase().includes(sought));
  const rows = [...data.rows.keys()].filter(row => inGroup(row) && (!sought || has(data.rows[row])));
  const value = new Map(rows.map((measure => row => [row, measure(row)])(ORDERS[key][1](system, metric))));
  order = rows.sort((a, b) => less(value.get(a), value.get(b)) || a - b);
  many = AT_ONCE;
  $("list").replaceChildren();
  fill();
}

function fill() {
  const metric = +$("metric").value;
  for (const row of order.slice($("list").children.length, many))
    $("list").append(html("li", {}, html("a", { class: "number-link", href: `#s${row + 1}` }, `Sentence ${row + 1}`), linesOf(row, metric)));
  const shown = $("list").children.length;
  $("count").textContent = `${order.length} of ${data.rows.length} sentences; shown: ${shown}`;
  $("more").hidden = shown >= order.length;
}

// ---- one sentence

function segmentTable(row) {
  const head = html("tr", {}, html("th", { scope: "col" }, "system"), ...data.metrics.map(([label]) => html("th", { scope: "col" }, label)));
  const body = data.systems.map((name, system) => html("tr", {}, html("th", { scope: "row", dir: "auto" }, name),
    ...data.metrics.map((_, metric) => html("td", {}, ...scoreCell(row, system, metric).childNodes))));
  return scroller("scores of this sentence", html("table", { class: "small" }, html("thead", {}, head), html("tbody", {}, ...body)));
}

const scroller = (label, ...children) => html("div", { class: "drawing", tabindex: "0", role: "region", "aria-label": label }, ...children);

function unpack(weights) {
  return [...weights.replace(/~(.)/g, (_, letter) => "A".repeat(LEVELS.indexOf(letter) + 1))].map(letter => LEVELS.indexOf(letter) / 63);
}

const brief = word => word.length > 18 ? word.slice(0, 17) + "…" : word;
const label = (word, attributes) => svg("text", attributes, brief(word), svg("title", {}, word));

function heatMap({ src, tgt, weights }) {
  const cell = 24, width = words => Math.max(...words.map(word => brief(word).length)) * 7.5 + 10;
  const flat = unpack(weights), left = width(tgt), top = width(src) * .8 + 14, strongest = [];
  const picture = svg("svg", { width: left + src.length * cell + top, height: top + tgt.length * cell + 2, role: "img" });
  src.forEach((word, s) => picture.append(label(word, { transform: `translate(${left + s * cell + 16} ${top - 5}) rotate(-50)` })));
  tgt.forEach((word, t) => {
    const row = flat.slice(t * src.length, (t + 1) * src.length), y = top + t * cell, most = row.indexOf(Math.max(...row));
    strongest.push(`${word}: ${src[most]} ${row[most].toFixed(2)}`);
    picture.append(label(word, { x: left - 6, y: y + 16, "text-anchor": "end" }));
    picture.append(svg("rect", { x: left, y, width: src.length * cell, height: cell, fill: "none", stroke: "var(--line)", "stroke-width": .5 }));
    row.forEach((weight, s) => weight && picture.append(svg("rect", { class: "heat", x: left + s * cell + 1, y: y + 1, width: cell - 2, height: cell - 2,
      "fill-opacity": weight }, svg("title", {}, `${word} ← ${src[s]}: ${weight.toFixed(2)}`))));
  });
  picture.setAttribute("aria-label", `looked at most, for each piece: ${strongest.join(", ")}`);
  return scroller("attention", picture);
}

function bands(moves, distance, line, references) {
  const column = (side, text) => [...new Set(moves.map(move => move[side]))]  // as they stand in the text
    .sort((a, b) => text.toLowerCase().indexOf(a) - text.toLowerCase().indexOf(b));
  const [from, to] = [column(0, line), column(1, references.join(" "))], tall = 26, width = 380, left = 135, right = 245;
  const mass = (words, side) => words.map(word => moves.filter(move => move[side] === word).reduce((sum, move) => sum + move[2], 0));
  const unit = Math.max(from.length, to.length) * tall, gap = 6, most = Math.max(...moves.map(move => move[3]), 1e-9);
  const places = masses => { let y = 4; return masses.map(one => { const top = y; y += Math.max(one * unit, 12) + gap; return top; }); };
  const [massA, massB] = [mass(from, 0), mass(to, 1)], [topA, topB] = [places(massA), places(massB)];
  const height = Math.max(...[[topA, massA], [topB, massB]].map(([top, one]) => top.at(-1) + one.at(-1) * unit)) + 14;
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": moves.map(([a, b, m, c]) => `${a} to ${b}, mass ${m.toFixed(2)}, cost ${c.toFixed(2)}`).join("; ") });
  const [nextA, nextB] = [[...topA], [...topB]];
  for (const [a, b, m, cost] of moves) {
    const [i, j] = [from.indexOf(a), to.indexOf(b)], [y, z, size] = [nextA[i], nextB[j], m * unit], middle = (left + right) / 2;
    nextA[i] += size; nextB[j] += size;
    const d = `M${left} ${y}C${middle} ${y} ${middle} ${z} ${right} ${z}V${z + size}C${middle} ${z + size} ${middle} ${y + size} ${left} ${y + size}Z`;
    picture.append(svg("path", { class: "band", d, style: `fill: color-mix(in srgb, var(--bad) ${Math.round(100 * cost / most)}%, var(--good)); fill-opacity: .55` },
      svg("title", {}, `${a} → ${b}: mass ${m.toFixed(3)}, cost ${cost.toFixed(3)}`)));
  }
  from.forEach((word, i) => picture.append(label(word, { x: left - 6, y: topA[i] + 11, "text-anchor": "end" })));
  to.forEach((word, j) => picture.append(label(word, { x: right + 6, y: topB[j] + 11 })));
  const rows = moves.map(([a, b, m, c]) => html("tr", {}, ...[`${a} → ${b}`, m.toFixed(3), c.toFixed(3), (m * c).toFixed(3)].map(text => html("td", {}, text))));
  const table = html("table", { class: "small" }, html("thead", {}, html("tr", {}, ...["move", "mass", "cost", "mass × cost"].map(text => html("th", { scope: "col" }, text)))),
    html("tbody", {}, ...rows));
  return [html("p", { class: "soft" }, `Distance ${distance.toFixed(4)}: green words stay or go near, red ones go far.`), scroller("transport plan", picture),
    html("details", {}, html("summary", {}, "The moves in numbers"), scroller("moves", table))];
}

function about(row, system) {
  const [, references, written] = data.rows[row], [line, , extra = {}] = written[system];
  const parts = [];
  if (extra.moves) parts.push(html("h5", {}, "How its words move onto those of the nearest reference (WMD)"), ...bands(extra.moves, extra.distance, line, references));
  if (extra.weights) parts.push(html("h5", {}, "Where it looked: a row for each piece that it wrote, a column for each that it read"), heatMap(extra));
  if (extra.nbest) parts.push(html("h5", {}, "What else the search found, with scores"),
    html("ol", {}, ...extra.nbest.map(([text, score]) => html("li", {}, `${told(score, 3)} `, html("span", { class: "text", dir: "auto" }, text)))));
  return parts.length ? [html("section", {}, html("h4", { dir: "auto" }, data.systems[system]), ...parts)] : [];
}

function open() {
  const row = Number((/^#s(\d+)$/.exec(location.hash) ?? [])[1]) - 1;
  if (!data?.rows[row]) return $("one").open && $("one").close();
  $("name").textContent = `Sentence ${row + 1}`;
  const abouts = data.systems.flatMap((_, system) => about(row, system));
  $("shown").replaceChildren(linesOf(row, +$("metric").value), segmentTable(row), html("div", { class: "abouts" }, ...abouts));
  if (!$("one").open) $("one").showModal();
  $("one").scrollTop = 0;
  $("name").focus();
  for (const [id, step] of [["before", -1], ["after", 1]]) {
    const next = order[order.indexOf(row) + step];
    $(id).disabled = next === undefined || !order.includes(row);
    $(id).onclick = () => { location.hash = `#s${next + 1}`; };
  }
}

// ---- beginning

function options(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) => html("option", { value }, text)));
  select.parentElement.hidden = entries.length < 2;
}

function start(content) {
  data = content;
  for (const [, bins] of data.groups) for (const bin of bins) bin[1] = new Set(bin[1]);
  const several = data.systems.length > 1, scored = data.metrics.length > 0;
  const usable = { gain: several && scored, loss: several && scored, worst: scored, rarest: data.rare.length > 0 };
  options($("order"), Object.entries(ORDERS).filter(([key]) => usable[key] ?? true).map(([key, [text]]) => [key, key === "rarest" ? data.rarest : text]));
  options($("system"), [...data.systems.entries()].map(([place, name]) => [place, place || !several ? name : `${name} (baseline)`]));
  options($("metric"), [...data.metrics.entries()].map(([place, [label]]) => [place, label]));
  options($("group"), [["-1 0", "all sentences"], ...data.groups.flatMap(([label, bins], grouping) =>
    bins.map(([name, rows], group) => [`${grouping} ${group}`, `${label}: ${name} (${rows.size})`]))]);
  if (several) $("system").value = 1;
  for (const id of ["order", "system", "metric", "group"]) $(id).onchange = refresh;
  $("search").oninput = refresh;
  $("more").onclick = () => { many += AT_ONCE; fill(); };
  $("close").onclick = () => $("one").close();
  $("one").onclose = () => {
    const link = document.querySelector(`a[href="${location.hash}"]`);
    if (/^#s\d/.test(location.hash)) location.hash = "#explorer";
    link?.focus();
  };
  $("one").onkeydown = event => {
    if (event.target.closest(".drawing")) return;
    if (event.key === "ArrowLeft") $("before").click();
    if (event.key === "ArrowRight") $("after").click();
  };
  addEventListener("hashchange", open);
  $("explorer").hidden = false;
  refresh();
  open();
}

if ($("data").textContent) start(JSON.parse($("data").textContent));
else $("file").onchange = async event => {
  let content;
  try { content = JSON.parse(await event.target.files[0].text()); } catch { /* it is no JSON at all */ }
  if (content?.file !== $("file").dataset.file)
    return $("beside").append(content?.file ? " That file has another page's sentences." : " That file is another one.");
  start(content);
  $("beside").hidden = true;
};
