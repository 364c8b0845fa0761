// Rows that are moved and ended by keys, forms that are filled and queued, tables of pictures. Nothing is fetched.
window.zxRows = (() => {
  const typing = (element) => element && element.closest && element.closest("input:not([type=range]):not([type=checkbox]), select, textarea");
  let last = null; // the row and the button that had the focus

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest(".zx-item");
    last = row ? { row: row.id, act: event.target.dataset ? event.target.dataset.act : undefined, at: index(row) } : null;
  });
  const rows = () => [...document.querySelectorAll(".zx-item")];
  const index = (row) => rows().indexOf(row);

  // The rows were drawn anew: the focus goes back to where it was, or to the row that has come there.
  new MutationObserver(() => back()).observe(document.documentElement, { childList: true, subtree: true });
  function back() {
    if (!last || (document.activeElement && document.activeElement !== document.body)) return;
    const row = document.getElementById(last.row) || rows()[Math.min(last.at, rows().length - 1)];
    if (!row) return;
    const button = last.act && row.querySelector(`[data-act="${last.act}"]:not(:disabled)`);
    (button || row).focus();
  }

  function press(row, act) {
    const button = row.querySelector(`[data-act="${act}"]`);
    if (button && !button.disabled) button.click();
    return true;
  }

  function inRow(row, event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step && event.shiftKey) return press(row, step < 0 ? "up" : "down");
    if (step) { const next = rows()[index(row) + step]; if (next) next.focus(); return true; }
    if (event.shiftKey) return false;
    if (event.key === "Enter" && event.target === row) return press(row, "open");
    const act = { f: "front", c: "cancel", Delete: "cancel", o: "open", r: "again" }[event.key];
    return act ? press(row, act) : false;
  }

  function inTable(cell, key) {
    const cells = [...cell.closest("tr").querySelectorAll(".cell")], at = cells.indexOf(cell);
    const all = [...document.querySelectorAll(".zx-plot tbody tr")], down = all.indexOf(cell.closest("tr"));
    const to = { ArrowLeft: [down, at - 1], ArrowRight: [down, at + 1], ArrowUp: [down - 1, at], ArrowDown: [down + 1, at] }[key];
    const next = to && all[to[0]] && all[to[0]].querySelectorAll(".cell")[to[1]];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest", inline: "nearest" }); }
  }

  document.addEventListener("keydown", (event) => {
    const plain = !(event.metaKey || event.altKey);
    if (event.key === "Enter" && event.shiftKey && plain && event.target.closest && event.target.closest("#ask")) {
      const button = document.querySelector(event.ctrlKey ? '[data-act="queue-front"]' : '[data-act="queue"]');
      if (button) { event.preventDefault(); event.stopPropagation(); button.click(); }
      return;
    }
    if (typing(event.target) || event.ctrlKey || !plain) return;
    const row = event.target.closest && event.target.closest(".zx-item");
    if (row && inRow(row, event)) { event.preventDefault(); event.stopPropagation(); return; }
    const cell = event.target.closest && event.target.closest(".zx-plot .cell");
    if (cell && /^Arrow/.test(event.key)) { event.preventDefault(); event.stopPropagation(); inTable(cell, event.key); }
  }, true);

  // Values into the fields of a form; a choice that is not among those offered is added.
  function fill(values) {
    const form = document.getElementById("ask");
    if (!form) return;
    for (const [name, value] of Object.entries(values)) {
      const field = form.elements[name];
      if (!field) continue;
      if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) field.add(new Option(value, value));
      field.value = value;
    }
    form.dispatchEvent(new Event("input", { bubbles: true }));
  }

  const given = () => { const form = document.getElementById("ask"); return form ? Object.fromEntries(new FormData(form)) : {}; };
  return { fill, given };
})();
