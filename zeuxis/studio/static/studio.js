// Keys, clicks on pictures, and sheets of pictures that change without flicker. Nothing here fetches from elsewhere.
window.zx = (() => {
  const wanted = {};
  function sheet(id, url) {
    wanted[id] = url;
    const image = new Image();
    image.onload = () => {
      const element = document.getElementById(id);
      if (element && wanted[id] === url) element.style.setProperty("--sheet", `url("${url}")`);
    };
    image.src = url;
  }
  const tell = (element, name) => element.dispatchEvent(new CustomEvent(name, { detail: 0 }));

  // One click picks, two open: the first waits a moment for the second, so that opening picks nothing.
  let waiting = null;
  document.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell[data-picks]");
    if (!cell) return;
    if (event.detail === 0) return tell(cell, "pick"); // from the keyboard
    if (waiting) {
      const before = waiting;
      clearTimeout(before.timer);
      waiting = null;
      if (before.cell === cell) return tell(cell, "open");
      tell(before.cell, "pick");
    }
    waiting = { cell, timer: setTimeout(() => { waiting = null; tell(cell, "pick"); }, 230) };
  });

  const typing = (element) => element && (element.closest("input:not([type=range]):not([type=checkbox]), select, textarea") || element.isContentEditable);
  const shown = (element) => element.offsetParent !== null && !element.disabled;

  function move(cell, key) {
    const cells = [...cell.parentElement.querySelectorAll(":scope > .cell, :scope > * > .cell")].filter(shown);
    const at = cells.indexOf(cell);
    const top = cells[0].getBoundingClientRect().top;
    const across = cells.filter((other) => Math.abs(other.getBoundingClientRect().top - top) < 4).length;
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - across, ArrowDown: at + across, Home: 0, End: cells.length - 1 }[key];
    if (cells[next]) cells[next].focus();
  }

  document.addEventListener("keydown", (event) => {
    if (typing(event.target)) return;
    const key = event.key;
    if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "z") {
      const button = document.querySelector(`[data-key="${event.shiftKey ? "y" : "u"}"]`);
      if (button && shown(button)) { event.preventDefault(); button.click(); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const cell = document.activeElement && document.activeElement.closest(".cell");
    if (cell && /^(Arrow|Home|End)/.test(key) && document.activeElement.type !== "range") { event.preventDefault(); return move(cell, key); }
    const own = cell && { o: "open", b: "ban", "*": "star", s: "star", x: "reject" }[key];
    if (own && cell.dataset.acts && cell.dataset.acts.split(" ").includes(own)) { event.preventDefault(); return tell(cell, own); }
    const root = [...document.querySelectorAll(".q-dialog .zx-dialog")].filter(shown).pop() || document;
    const button = [...root.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find(shown);
    if (button) {
      event.preventDefault();
      if (button.matches("input, select, textarea, .cell")) button.focus(); else button.click();
    }
  });
  return { sheet };
})();
