// @ts-check
// The API as functions; failed requests throw an error with a message for users.

export const API = "/api/v1";

export class ApiError extends Error {
  /** @param {number} status @param {string} code @param {string} detail @param {string} hint @param {number} retry seconds */
  constructor(status, code, detail, hint, retry = 0) {
    super([detail, hint].filter(Boolean).join(" "));
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.retry = retry;
  }
}

/**
 * @param {number} status
 * @param {string} body a problem as JSON, or what a proxy sent in its place
 * @param {string | null} retryAfter the header
 * @returns {ApiError}
 */
export function problemOf(status, body, retryAfter) {
  const retry = Number(retryAfter) || 0;
  try {
    const { code, detail, hint } = JSON.parse(body);
    if (typeof detail === "string") return new ApiError(status, code, detail, hint ?? "", retry);
  } catch {
    // no problem of this server's
  }
  return new ApiError(status, "http", `The server returned ${status}.`, "Try again.", retry);
}

/** @param {Response} response @returns {Promise<ApiError>} */
export async function errorOf(response) {
  const body = await response.text().catch(() => "");
  return problemOf(response.status, body, response.headers.get("Retry-After"));
}

/**
 * @param {string} method
 * @param {string} path below /api/v1
 * @param {unknown} [body] sent as JSON
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>}
 */
async function call(method, path, body, headers = {}) {
  let response;
  try {
    response = await fetch(API + path, {
      method,
      headers: { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
    });
  } catch {
    throw new ApiError(0, "offline", "The server is not responding.", "Check the connection and try again.");
  }
  if (!response.ok) throw await errorOf(response);
  if (response.status === 204) return null;
  return response.json().catch(() => {
    throw new ApiError(0, "unreadable", "The server sent an incomplete response.", "Try again.");
  });
}

export const api = {
  /** @param {string} path */
  get: (path) => call("GET", path),
  /** @param {string} path @param {unknown} [body] @param {Record<string, string>} [headers] */
  post: (path, body = {}, headers) => call("POST", path, body, headers),
  /** @param {string} path @param {unknown} body @param {Record<string, string>} [headers] */
  patch: (path, body, headers) => call("PATCH", path, body, headers),
  /** @param {string} path @param {unknown} [body] */
  delete: (path, body) => call("DELETE", path, body),
};
