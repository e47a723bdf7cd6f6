// @ts-check
// The loop on the ruler: drag to make one, drag its ends to change it, a tap goes there.

const MIN_DRAG_PX = 6;

/** @param {import("./view.js").PlayerView} view @param {HTMLElement} ruler */
export function makeLoopHandle(view, ruler) {
  /** @type {{id: number, x: number, fixed: number, moved: boolean} | null} */
  let held = null;
  const frameAt = (/** @type {number} */ x) => {
    const box = ruler.getBoundingClientRect();
    const { first, last } = view.view;
    return Math.min(Math.max(first + ((x - box.left) / box.width) * (last - first), 0), view.song.frames);
  };
  ruler.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const mark = /** @type {HTMLElement} */ (event.target).dataset.mark;
    const { loop } = view;
    const fixed = mark && loop ? (mark === "start" ? loop.end : loop.start) : frameAt(event.clientX);
    held = { id: event.pointerId, x: event.clientX, fixed, moved: Boolean(mark) };
    ruler.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  ruler.addEventListener("pointermove", (event) => {
    if (!held || event.pointerId !== held.id) return;
    held.moved ||= Math.abs(event.clientX - held.x) > MIN_DRAG_PX;
    if (!held.moved) return;
    const here = frameAt(event.clientX);
    view.setLoop({ start: Math.min(here, held.fixed), end: Math.max(here, held.fixed) });
  });
  ruler.addEventListener("pointerup", (event) => {
    if (held && !held.moved) view.seek(frameAt(event.clientX));
    held = null;
  });
  ruler.addEventListener("pointercancel", () => (held = null));
}
