// @ts-check
// Whether a server answers, before a WebSocket is opened: after failed WebSockets Firefox holds back the next one, for up
// to a minute, and a page would not notice for as long that the server is back. Failed requests hold nothing back.

const TIMEOUT_MS = 5000;

/** @param {string} url @returns {Promise<boolean>} */
export async function answers(url) {
  const request = { method: "HEAD", cache: /** @type {RequestCache} */ ("no-store"), signal: AbortSignal.timeout(TIMEOUT_MS) };
  return fetch(url, request).then(({ status }) => status < 500, () => false); // a proxy's 502 is no server
}
