// @ts-check
// Relative dragging: a pointer moves a control by its travel, never by where it is put down.

const FINE_PX = 60; // this far sideways makes it four times finer
const FINE = 0.25;
const DOUBLE_TAP_MS = 300;
const DOUBLE_TAP_PX = 24;

/**
 * @typedef {object} Handlers
 * @property {() => boolean} start whether it may be moved now
 * @property {(share: number, fine: boolean) => void} move by this share of the whole travel
 * @property {() => void} end
 * @property {() => void} reset
 * @property {() => number} travel pixels from end to end
 */

/**
 * Makes an element draggable; many can be dragged at the same time, one pointer each.
 * @param {HTMLElement} element
 * @param {"x" | "y"} axis
 * @param {Handlers} handlers
 */
export function makeDraggable(element, axis, handlers) {
  /** @type {{id: number, x: number, y: number, startX: number, startY: number} | null} */
  let held = null;
  let tap = { time: -Infinity, x: 0, y: 0 };

  element.addEventListener("pointerdown", (event) => {
    if (held || event.button !== 0 || !handlers.start()) return;
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    held = { id: event.pointerId, x: event.clientX, y: event.clientY, startX: event.clientX, startY: event.clientY };
    const near = Math.hypot(event.clientX - tap.x, event.clientY - tap.y) <= DOUBLE_TAP_PX;
    if (near && event.timeStamp - tap.time <= DOUBLE_TAP_MS) {
      tap = { time: -Infinity, x: 0, y: 0 };
      handlers.reset();
    } else {
      tap = { time: event.timeStamp, x: event.clientX, y: event.clientY };
    }
  });

  element.addEventListener("pointermove", (event) => {
    if (!held || event.pointerId !== held.id) return;
    const along = axis === "y" ? held.y - event.clientY : event.clientX - held.x;
    const sideways = axis === "y" ? event.clientX - held.startX : event.clientY - held.startY;
    const fine = Math.abs(sideways) > FINE_PX;
    held.x = event.clientX;
    held.y = event.clientY;
    if (along) handlers.move((along / handlers.travel()) * (fine ? FINE : 1), fine);
  });

  const release = (/** @type {PointerEvent} */ event) => {
    if (!held || event.pointerId !== held.id) return;
    held = null;
    handlers.end();
  };
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", release);
  element.addEventListener("lostpointercapture", release);
  const drop = () => {
    if (!held) return;
    const { id } = held;
    held = null;
    if (element.hasPointerCapture(id)) element.releasePointerCapture(id);
    handlers.end();
  };
  return drop;
}
