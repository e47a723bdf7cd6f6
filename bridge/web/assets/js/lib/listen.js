// @ts-check
// Listeners that last while a component is in the page.

/**
 * Adds listeners whenever a component is connected, and removes them when it is disconnected.
 * @param {import("lit").ReactiveControllerHost} host the component; call this in its constructor
 * @param {EventTarget} target
 * @param {Record<string, (event: any) => void>} listeners by the name of the event
 */
export function listenWhileConnected(host, target, listeners) {
  const entries = Object.entries(listeners);
  host.addController({
    hostConnected: () => entries.forEach(([name, listener]) => target.addEventListener(name, listener)),
    hostDisconnected: () => entries.forEach(([name, listener]) => target.removeEventListener(name, listener)),
  });
}
