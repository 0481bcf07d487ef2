"use strict";
// The disagreement browser. Texts are hostile: they only ever become text nodes.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const app = document.getElementById("app");
  if (!app) return;
  const PAGE_START = 220, LONG = 1600;
  const CONTROLS = /([\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff])/u;

  const el = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === false || value === null || value === undefined) continue;
      if (key === "class") node.className = value;
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value === true ? "" : value);
    }
    node.append(...children);
    return node;
  };
  const words = (name) => String(name).replaceAll("_", " ");
  const shown = (value) => {
    if (value === null || value === undefined) return "null";
    if (Array.isArray(value)) return value.map(shown).join(", ") || "empty list";
    return String(value);
  };
  const swatch = (index) => el("i", { class: `swatch c${index + 1}` });
  const who = (index) => el("span", { class: "who" }, swatch(index), el("bdi", {}, data.contestants[index]));
  const unique = (values) => [...new Set(values)].sort();

  // Filters ------------------------------------------------------------------------------------
  const wrongOnly = { all: "anything to see", wrong: "somebody is wrong", alone: "one wrong, another right" };
  const options = {
    contestant: ["Contestant", data.contestants],
    field: ["Field", data.fields],
    stratum: ["Kind of text", unique(data.cases.flatMap((c) => c.strata))],
    error: ["Error", unique(data.cases.flatMap((c) => c.replies.flatMap((r) => r.cells.map((f) => f.error))).filter(Boolean))],
  };
  const form = document.getElementById("filters");
  const controls = {};
  for (const [name, [label, values]] of Object.entries(options)) {
    const select = el("select", { name }, el("option", { value: "" }, "all"));
    for (const value of values) select.append(el("option", { value }, words(value)));
    controls[name] = select;
    if (values.length) form.append(el("label", {}, label, select));
  }
  controls.show = el("select", { name: "show" });
  for (const [value, label] of Object.entries(wrongOnly)) controls.show.append(el("option", { value }, label));
  if (data.cases.some((c) => c.gold)) form.append(el("label", {}, "Show", controls.show));
  controls.search = el("input", { name: "search", type: "search" });
  form.append(el("label", {}, "Words of the text", controls.search));
  form.append(el("button", { type: "reset", class: "reset" }, "Clear"));

  const matches = (item) => {
    const { contestant, field, stratum, error, show, search } = Object.fromEntries(
      Object.entries(controls).map(([name, control]) => [name, control.value]));
    if (stratum && !item.strata.includes(stratum)) return false;
    if (search && !`${item.id}\n${item.text}`.toLowerCase().includes(search.toLowerCase())) return false;
    if (show === "wrong" && !item.replies.some((r) => r.perfect === false)) return false;
    if (show === "alone" && !(item.replies.some((r) => r.perfect) && item.replies.some((r) => r.perfect === false))) return false;
    if (!contestant && !field && !error) return true;
    // One value has to answer to all three.
    return item.replies.some((reply, index) =>
      (!contestant || data.contestants[index] === contestant) &&
      reply.cells.some((cell, place) =>
        (!field || data.fields[place] === field) &&
        (error ? cell.error === error : differs(item, reply, cell, place))));
  };
  const differs = (item, reply, cell, place) => {
    if (item.gold) return Boolean(cell.error);
    return item.replies.some((other) => JSON.stringify(other.cells[place].value) !== JSON.stringify(cell.value));
  };

  // Text with evidence -------------------------------------------------------------------------
  const spansOf = (item) => {
    const spans = Object.entries(item.spans).map(([field, [start, end]]) => ({ start, end, field, who: -1 }));
    item.replies.forEach((reply, index) => reply.cells.forEach((cell, place) => cell.spans.forEach(
      ([start, end]) => spans.push({ start, end, field: data.fields[place], who: index }))));
    return spans.filter((span) => span.end > span.start);
  };
  const plain = (piece) => piece.split(CONTROLS).map((part) => CONTROLS.test(part)
    ? el("span", { class: "control" }, `U+${part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`) : part);
  const segment = (piece, over) => {
    if (!over.length) return plain(piece);
    const finders = unique(over.filter((span) => span.who >= 0).map((span) => span.who));
    const told = over.map((span) => `${span.who < 0 ? "gold" : data.contestants[span.who]}: ${span.field}`);
    const mark = el("mark", { class: over.some((span) => span.who < 0) ? "gold" : "", title: unique(told).join("\n") }, ...plain(piece));
    mark.dataset.keys = over.map((span) => `${span.who}:${span.field}`).join(" ");
    mark.style.boxShadow = finders.map((index, place) => `0 ${2 + 3 * place}px 0 0 var(--chart-${index + 1})`).join(", ");
    mark.style.paddingBottom = "1px";
    return [mark];
  };
  const textOf = (item) => {
    const characters = Array.from(item.text); // offsets count code points
    const spans = spansOf(item);
    const cuts = unique([0, characters.length, ...spans.flatMap((s) => [s.start, s.end])].map(String)).map(Number)
      .filter((at) => at >= 0 && at <= characters.length).sort((a, b) => a - b);
    const holder = el("p", { class: "text", dir: "auto" });
    const near = (from, to) => spans.some((s) => s.start < to + PAGE_START && s.end > from - PAGE_START);
    const slice = (from, to) => characters.slice(from, to).join("");
    const put = (from, to, over) => holder.append(...segment(slice(from, to), over));
    for (let index = 0; index + 1 < cuts.length; index += 1) {
      const [from, to] = [cuts[index], cuts[index + 1]];
      const over = spans.filter((s) => s.start <= from && s.end >= to);
      const isLong = characters.length > LONG && !over.length && to - from > 3 * PAGE_START;
      if (!isLong) { put(from, to, over); continue; }
      const head = from === 0 && !near(from, from) ? from + PAGE_START : Math.min(to, from + PAGE_START);
      const tail = Math.max(head, to - PAGE_START);
      put(from, head, []);
      const hidden = slice(head, tail);
      const button = el("button", { type: "button", class: "more" }, `… ${(tail - head).toLocaleString("en")} more characters`);
      button.addEventListener("click", () => button.replaceWith(...plain(hidden)));
      holder.append(button);
      put(tail, to, []);
    }
    return holder;
  };

  // One case -----------------------------------------------------------------------------------
  const light = (key) => {
    const marks = [...document.querySelectorAll("#case mark")];
    for (const mark of marks) mark.classList.toggle("lit", mark.dataset.keys.split(" ").includes(key));
    const first = marks.find((mark) => mark.classList.contains("lit"));
    if (first) first.scrollIntoView({ block: "nearest" });
  };
  const valueOf = (value, key, hasSpan) => {
    const text = el("bdi", {}, ...plain(shown(value)));
    if (!hasSpan) return text;
    return el("button", { type: "button", title: "Show where it stands", onclick: () => light(key), onmouseenter: () => light(key), onmouseleave: () => light(""), onblur: () => light("") }, text);
  };
  const chipsOf = (item) => {
    const chips = el("ul", { class: "chips" }, ...item.strata.map((name) => el("li", {}, words(name))), el("li", {}, item.language));
    if (item.attack) {
      const wanted = Object.entries(item.attack).map(([field, value]) => `${field} = ${shown(value)}`).join(", ");
      chips.append(el("li", { class: "warn" }, "an attack wants ", el("bdi", {}, ...plain(wanted))));
    }
    return chips;
  };
  const tableOf = (item) => {
    const head = el("tr", {}, el("th", { scope: "col" }, "Field"));
    if (item.gold) head.append(el("th", { scope: "col" }, "Gold"));
    item.replies.forEach((_, index) => head.append(el("th", { scope: "col" }, who(index))));
    const body = el("tbody");
    data.fields.forEach((field, place) => {
      const row = el("tr", {}, el("th", { scope: "row" }, el("bdi", {}, field)));
      if (item.gold) row.append(el("td", {}, valueOf(item.gold[field], `-1:${field}`, field in item.spans)));
      item.replies.forEach((reply, index) => {
        const cell = reply.cells[place];
        const td = el("td", { class: cell.error ? "bad" : "" }, valueOf(cell.value, `${index}:${field}`, cell.spans.length > 0));
        if (cell.error) td.append(" ", el("em", {}, words(cell.error)));
        row.append(td);
      });
      body.append(row);
    });
    const table = el("table", { class: "values" }, el("thead", {}, head), body);
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values" }, table);
  };
  const remarksOf = (item) => {
    const remarks = item.replies.flatMap((reply, index) => [
      ...(reply.failure ? [`no record: ${words(reply.failure)}`] : []), ...reply.warnings,
    ].map((said) => el("li", {}, who(index), ": ", ...plain(said))));
    return remarks.length ? [el("ul", { class: "remarks" }, ...remarks)] : [];
  };

  // List and stepping --------------------------------------------------------------------------
  const list = document.getElementById("list"), article = document.getElementById("case");
  const count = document.getElementById("count");
  const previous = document.getElementById("previous"), next = document.getElementById("next");
  let found = [], at = 0;
  const marksOf = (item) => {
    const told = item.replies.map((reply) => reply.perfect === null ? "·" : reply.perfect ? "✓" : "✗");
    const names = item.replies.map((reply, index) => `${data.contestants[index]} ${reply.perfect === null ? "unjudged" : reply.perfect ? "right" : "wrong"}`);
    return el("span", { class: "marks", role: "img", "aria-label": names.join(", "), title: names.join("\n") },
      ...told.map((sign, index) => el("b", { class: `c${index + 1}` }, sign)));
  };
  const show = (index, { scroll = true } = {}) => {
    at = Math.max(0, Math.min(index, found.length - 1));
    const item = found[at];
    previous.disabled = at === 0;
    next.disabled = at >= found.length - 1;
    count.textContent = found.length ? `${at + 1} of ${found.length}` : "none";
    article.replaceChildren();
    // One stop of the keyboard for the whole list; the arrows move within it.
    [...list.children].forEach((button, place) => {
      button.setAttribute("aria-current", String(place === at));
      button.tabIndex = place === at ? 0 : -1;
    });
    if (!item) { article.append(el("p", { class: "empty" }, "No text fits these filters.")); remember(); return; }
    article.append(el("h3", {}, el("bdi", {}, item.id)), chipsOf(item), textOf(item), tableOf(item), ...remarksOf(item));
    const current = list.children[at];
    if (scroll && current) list.scrollTop = Math.max(0, current.offsetTop - list.offsetTop - list.clientHeight / 3);
    remember(item.id);
  };
  const filter = (wanted) => {
    found = data.cases.filter(matches);
    list.replaceChildren(...found.map((item, index) => el("button", { type: "button", onclick: () => show(index, { scroll: false }) },
      el("span", {}, el("bdi", {}, item.id)), marksOf(item))));
    show(Math.max(0, found.findIndex((item) => item.id === wanted)));
  };

  // The address keeps filters and place, so that a finding can be passed on.
  const remember = (id) => {
    const kept = new URLSearchParams();
    for (const [name, control] of Object.entries(controls)) {
      if (control.value && !(name === "show" && control.value === "all")) kept.set(name, control.value);
    }
    if (id && started) kept.set("text", id);
    if (!started) return;
    try { history.replaceState(null, "", `#${kept}`); } catch { /* some browsers refuse on files */ }
  };
  let started = false;
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const [name, control] of Object.entries(controls)) if (asked.has(name)) control.value = asked.get(name);
  controls.show.value ||= "all";

  form.addEventListener("input", () => { started = true; filter(found[at]?.id); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { started = true; filter(found[at]?.id); }));
  previous.addEventListener("click", () => { started = true; show(at - 1); });
  next.addEventListener("click", () => { started = true; show(at + 1); });
  list.addEventListener("click", () => { started = true; });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    started = true;
    show(at + step);
    list.children[at]?.focus();
  });
  app.hidden = false;
  document.getElementById("plain").hidden = true;
  filter(asked.get("text"));
})();
