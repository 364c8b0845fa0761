// The wall of the gallery. Of all pictures that were found only those in view are elements; what they are is fetched in
// pieces, with the thumbnails that there are; those that have to be made first come a few rows at a time. The server says by attributes which answer is shown, and hears of what is chosen,
// marked and opened by events. All text is set as text.
window.zxWall = (() => {
  const PIECE = 120, KEPT = 24, FEW = 24, AHEAD = 4, BEHIND = 1, AT_ONCE = 2, GAP = 10, LEAST = 132, MOST = 2000;
  const pieces = new Map(), cells = new Map(), spare = [], chosen = new Set(), asked = new Map(), drawing = new Map();
  let wall, layer, chip, answer = "", total = 0, columns = 1, side = LEAST, current = 0, anchor = 0, shift = false;
  let planned = false, fading = 0, below = true, was = 0;

  const tell = (name, detail) => wall.dispatchEvent(new CustomEvent(name, { detail }));
  const item = (at) => (pieces.get(Math.floor(at / PIECE)) || [])[at % PIECE];
  const step = () => side + GAP;
  const bar = () => (document.querySelector(".zx-tools") || wall).getBoundingClientRect().height;

  function measure() {
    const width = wall.clientWidth;
    columns = Math.max(3, Math.floor((width + GAP) / (LEAST + GAP)));
    if (window.innerWidth <= 720) columns = 3;
    side = (width - GAP * (columns - 1)) / columns;
    layer.style.height = `${Math.max(0, Math.ceil(total / columns) * step() - GAP)}px`;
  }

  function seen() {
    const top = -layer.getBoundingClientRect().top;
    const rows = Math.ceil(total / columns);
    const first = Math.min(rows, Math.max(0, Math.floor(top / step())));
    const last = Math.min(rows, Math.max(first, Math.ceil((top + window.innerHeight) / step())));
    return [first, last];
  }

  function draw() {
    planned = false;
    const [first, last] = seen();
    if (window.scrollY !== was) below = window.scrollY > was; // more is drawn ahead, the way that a person scrolls
    was = window.scrollY;
    const [up, down] = below ? [BEHIND, AHEAD] : [AHEAD, BEHIND];
    const from = Math.max(0, first - up) * columns, to = Math.min(total, (last + down) * columns);
    if (current < first * columns || current >= last * columns) {
      const focused = document.activeElement && document.activeElement.closest("#wall .cell");
      if (!focused) current = Math.min(Math.max(0, total - 1), first * columns);
    }
    for (const [at, cell] of cells) if ((at < from || at >= to) && cell !== document.activeElement) drop(at, cell);
    let next = null;
    for (let at = to - 1; at >= from; at--) {
      let cell = cells.get(at);
      if (!cell) {
        cell = spare.pop() || make();
        cells.set(at, cell);
        layer.insertBefore(cell, next);
      }
      place(cell, at);
      fill(cell, at);
      next = cell;
    }
    drawFor(first * columns, Math.min(to, last * columns), from, to);
    fetchFor(Math.floor((first * columns) / PIECE), Math.floor(Math.max(0, Math.min(total, last * columns) - 1) / PIECE));
  }

  function plan() {
    if (!planned) { planned = true; requestAnimationFrame(draw); }
  }

  function make() {
    const cell = document.createElement("button");
    const image = document.createElement("img"), tag = document.createElement("span");
    cell.type = "button";
    cell.className = "cell";
    cell.dataset.picks = "1";
    cell.dataset.acts = "open star reject";
    image.alt = "";
    image.draggable = false;
    tag.className = "tag";
    cell.append(image, tag);
    cell.addEventListener("pick", () => pick(cell.at));
    cell.addEventListener("open", () => item(cell.at) && tell("opened", item(cell.at).id));
    cell.addEventListener("star", () => mark(cell.at, 1));
    cell.addEventListener("reject", () => mark(cell.at, -1));
    cell.addEventListener("focus", () => { current = cell.at; stops(); });
    return cell;
  }

  function drop(at, cell) {
    cells.delete(at);
    cell.remove();
    cell.firstChild.removeAttribute("src"); // a picture that is not seen any more is not loaded
    cell.shown = cell.painted = undefined;
    spare.push(cell);
  }

  function place(cell, at) {
    const x = (at % columns) * step(), y = Math.floor(at / columns) * step();
    cell.at = at;
    cell.style.cssText = `width:${side}px;height:${side}px;transform:translate(${x}px,${y}px)`;
  }

  function fill(cell, at) {
    const one = item(at);
    cell.tabIndex = at === current ? 0 : -1;
    if (!one) {
      if (cell.shown !== null) {
        cell.firstChild.removeAttribute("src");
        cell.painted = undefined;
        cell.lastChild.hidden = true;
        cell.classList.remove("rejected");
        cell.setAttribute("aria-label", `Picture ${at + 1} of ${total}`);
        cell.setAttribute("aria-pressed", "false");
      }
      cell.shown = null;
      return;
    }
    if (cell.shown !== one.id) {
      cell.shown = one.id;
      cell.title = one.about;
    }
    if (cell.painted !== one.id) {
      if (one.drawn) cell.firstChild.src = one.drawn;
      else cell.firstChild.removeAttribute("src");
      cell.painted = one.drawn ? one.id : undefined;
    }
    const marked = { 1: "★", "-1": "✕" }[one.mark] || "";
    cell.lastChild.textContent = marked;
    cell.lastChild.hidden = !marked;
    cell.classList.toggle("rejected", one.mark < 0);
    const said = { 1: ", starred", "-1": ", rejected" }[one.mark] || "";
    cell.setAttribute("aria-label", `${one.about}${said}, picture ${at + 1} of ${total}`);
    cell.setAttribute("aria-pressed", chosen.has(one.id) ? "true" : "false");
  }

  const stops = () => { for (const [at, cell] of cells) cell.tabIndex = at === current ? 0 : -1; };

  function fetchFor(first, last) {
    const wanted = [];
    for (let piece = first; piece <= last; piece++) wanted.push(piece);
    wanted.push(last + 1, first - 1);
    for (const [piece, one] of asked) if (!wanted.includes(piece)) one.abort();
    for (const piece of wanted) {
      if (asked.size >= AT_ONCE) return;
      if (piece >= 0 && piece * PIECE < total && !pieces.has(piece) && !asked.has(piece)) get(piece);
    }
  }

  // The thumbnails that have to be made: of what is in view first, then of the rows below and above it.
  function drawFor(begin, end, from, to) {
    const wanted = new Set();
    const want = (at) => { const one = item(at); if (one && one.drawn === undefined) wanted.add(Math.floor(at / FEW)); };
    for (let at = begin; at < end; at++) want(at);
    if (below) for (let at = end; at < to; at++) want(at);
    for (let at = begin - 1; at >= from; at--) want(at);
    if (!below) for (let at = end; at < to; at++) want(at);
    for (const [few, one] of drawing) if (!wanted.has(few)) one.abort();
    for (const few of wanted) {
      if (drawing.size >= AT_ONCE) return;
      if (!drawing.has(few)) getDrawn(few);
    }
  }

  async function getDrawn(few) {
    const of = answer, stop = new AbortController();
    drawing.set(few, stop);
    try {
      const said = await fetch(`/drawn/${of}.json?offset=${few * FEW}&limit=${FEW}`, { signal: stop.signal });
      if (of !== answer) return;
      if (!said.ok) throw new Error(said.statusText);
      (await said.json()).forEach((one, k) => { const known = item(few * FEW + k); if (known) known.drawn = (one && one.drawn) || ""; });
    } catch (error) {
      if (error.name !== "AbortError") await new Promise((again) => setTimeout(again, 1000));
    } finally {
      if (drawing.get(few) === stop) drawing.delete(few);
      plan();
    }
  }

  async function get(piece) {
    const of = answer, stop = new AbortController();
    asked.set(piece, stop);
    try {
      const url = `/items/${of}.json?offset=${piece * PIECE}&limit=${PIECE}`;
      const early = piece === 0 && window.zxFirst && window.zxFirst.answer === of;
      const said = await (early ? window.zxFirst.said : fetch(url, { signal: stop.signal }));
      if (early) window.zxFirst = null;
      if (of !== answer) return;
      if (said.status === 404) return tell("stale", 0);
      if (!said.ok) throw new Error(said.statusText);
      pieces.set(piece, await said.json());
      if (pieces.size > KEPT) pieces.delete(pieces.keys().next().value);
    } catch (error) {
      if (error.name !== "AbortError") await new Promise((again) => setTimeout(again, 1000));
    } finally {
      if (asked.get(piece) === stop) asked.delete(piece);
      plan();
    }
  }

  function focus(at) {
    if (at < 0 || at >= total) return;
    current = at;
    const y = layer.getBoundingClientRect().top + Math.floor(at / columns) * step();
    const above = bar() + 6;
    if (y < above) window.scrollBy({ top: y - above, behavior: "instant" });
    else if (y + side > window.innerHeight) window.scrollBy({ top: y + side + 6 - window.innerHeight, behavior: "instant" });
    draw();
    const cell = cells.get(at);
    if (cell) cell.focus({ preventScroll: true });
  }

  function keys(event) {
    const cell = event.target.closest(".cell");
    if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return choose([]);
    const screen = Math.max(1, Math.floor((window.innerHeight - bar()) / step()) - 1) * columns;
    const to = {
      ArrowLeft: cell.at - 1, ArrowRight: cell.at + 1, ArrowUp: cell.at - columns, ArrowDown: cell.at + columns,
      Home: 0, End: total - 1, PageUp: Math.max(cell.at % columns, cell.at - screen),
      PageDown: Math.min(total - 1, cell.at + screen),
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    focus(to);
  }

  async function pick(at) {
    const one = item(at);
    if (!one) return;
    if (shift && anchor !== at) {
      const [low, high] = [Math.min(anchor, at), Math.max(anchor, at)];
      for (let piece = Math.floor(low / PIECE); piece <= Math.floor(high / PIECE); piece++) if (!pieces.has(piece)) await get(piece);
      for (let each = low; each <= high && chosen.size < MOST; each++) if (item(each)) chosen.add(item(each).id);
    } else if (!chosen.delete(one.id) && chosen.size < MOST) chosen.add(one.id);
    anchor = at;
    draw();
    tell("chosen", [...chosen]);
  }

  function choose(numbers) {
    chosen.clear();
    for (const number of numbers) chosen.add(number);
    draw();
    tell("chosen", [...chosen]);
  }

  function mark(at, to) {
    const one = item(at);
    if (!one) return;
    one.mark = one.mark === to ? 0 : to;
    fill(cells.get(at), at);
    tell("marked", [one.id, one.mark]);
  }

  function scrolled() {
    plan();
    const one = item(seen()[0] * columns);
    if (!one || window.scrollY < window.innerHeight) { chip.hidden = true; return; }
    chip.textContent = `${one.day} · ${(seen()[0] * columns + 1).toLocaleString("en")} of ${total.toLocaleString("en")}`;
    chip.hidden = false;
    clearTimeout(fading);
    fading = setTimeout(() => { chip.hidden = true; }, 1200);
  }

  function resized() {
    const at = seen()[0] * columns, inside = layer.getBoundingClientRect().top < 0;
    measure();
    if (inside) window.scrollTo({ top: window.scrollY + layer.getBoundingClientRect().top + Math.floor(at / columns) * step(), behavior: "instant" });
    draw();
  }

  function read() {
    if (wall.dataset.result === answer && Number(wall.dataset.total) === total) return;
    const fresh = wall.dataset.result !== answer;
    answer = wall.dataset.result;
    total = Number(wall.dataset.total);
    for (const one of [...asked.values(), ...drawing.values()]) one.abort();
    asked.clear();
    drawing.clear();
    pieces.clear();
    for (const [at, cell] of [...cells]) drop(at, cell);
    if (fresh) current = anchor = 0;
    measure();
    draw();
  }

  function begin() {
    wall = document.getElementById("wall");
    if (!wall) return setTimeout(begin, 15);
    layer = wall.appendChild(document.createElement("div"));
    layer.className = "zx-layer";
    chip = wall.appendChild(document.createElement("div"));
    chip.className = "zx-when";
    chip.setAttribute("aria-hidden", "true");
    chip.hidden = true;
    layer.addEventListener("keydown", keys);
    document.addEventListener("click", (event) => { shift = event.shiftKey; }, true);
    window.addEventListener("scroll", scrolled, { passive: true });
    new ResizeObserver(resized).observe(wall);
    new MutationObserver(read).observe(wall, { attributes: true, attributeFilter: ["data-result", "data-total"] });
    read();
  }
  begin();
  return { choose };
})();
