// What a page must have for those who do not see it well, or not with a mouse. Run in the page; returns faults as text.
() => {
  const faults = [];
  const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
  const tell = (what, e) => faults.push(`${what}: ${e.outerHTML.slice(0, 160)}`);
  const parse = (text) => { const n = text.match(/[\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] === undefined ? 1 : n[3]]; };
  const over = (top, under, a) => top.slice(0, 3).map((v, k) => v * a + under[k] * (1 - a));
  const light = (c) => { const l = c.slice(0, 3).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };

  const heard = (e) => { const own = e.cloneNode(true); own.querySelectorAll("[aria-hidden=true], script").forEach((x) => x.remove()); return own.textContent.trim() || [...own.querySelectorAll("img[alt]")].some((x) => x.alt); };

  if (!document.querySelector("h1")) faults.push("the page has no heading");
  if (!document.documentElement.lang) faults.push("the page names no language");
  if (!document.title) faults.push("the page has no title");
  if (document.querySelectorAll("main:not([role=none])").length !== 1) faults.push("the page has not one main part");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, k) => ids.indexOf(id) !== k))) faults.push(`two elements are called ${id}`);

  for (const e of document.querySelectorAll("button, a[href], input, select, textarea, summary, [role=button], [tabindex]")) {
    if (!seen(e) || e.type === "hidden" || e.closest("[aria-hidden=true]") || e.tabIndex < 0) continue;
    const named = heard(e) || e.getAttribute("aria-label") || e.title || [...(e.labels || [])].some((l) => l.innerText.trim());
    const by = e.getAttribute("aria-labelledby");
    if (!named && !(by && document.getElementById(by)) && e.id !== "main") tell("no name", e);
  }
  for (const e of document.querySelectorAll("img")) if (seen(e) && !e.hasAttribute("alt")) tell("no alt", e);

  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !seen(e) || e.closest("script, style, :disabled, svg, .q-loading, option")) continue;
    const box = e.getBoundingClientRect();
    if (box.width < 2 || box.right < 0) continue;
    let ground = null, through = 1;
    const layers = [];
    for (let up = e; up; up = up.parentElement) {
      const style = getComputedStyle(up), colour = parse(style.backgroundColor);
      through *= Number(style.opacity);
      if (style.backgroundImage !== "none") break;
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    ground = [255, 255, 255];
    for (const layer of layers.reverse()) ground = over(layer, ground, layer[3]);
    const style = getComputedStyle(e), ink = parse(style.color);
    const shown = over(ink, ground, ink[3] * through);
    const [high, low] = [light(shown), light(ground)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < (large ? 3 : 4.5)) tell(`contrast ${contrast.toFixed(2)} of "${walk.currentNode.textContent.trim().slice(0, 30)}"`, e);
  }
  return [...new Set(faults)];
}
