// @ts-check
// The requests of an upload.

import { API, ApiError, api, errorOf, problemOf } from "./api.js";

const PIECE_BYTES = 8 * 1024 * 1024;
const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/**
 * The Idempotency-Key of a file: the same for the same file with the same settings, also in another tab or after a
 * reload, so that a request whose response was lost can be repeated.
 * @param {File} file
 * @param {Record<string, unknown>} settings
 * @returns {string} ASCII
 */
export function keyOf(file, settings) {
  const text = JSON.stringify([file.name, settings]);
  let hash = FNV_OFFSET; // crypto.subtle would need HTTPS
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return `${file.size}-${file.lastModified}-${hash.toString(16)}`;
}

/**
 * Begins the upload of a file, or returns the unfinished one that it has.
 * @param {File} file
 * @param {Record<string, unknown>} settings
 * @returns {Promise<{id: string, offset: number}>}
 */
export async function begin(file, settings) {
  const key = keyOf(file, settings);
  const body = { name: file.name, size: file.size, settings };
  for (let copy = 1; ; copy++) {
    const upload = await api.post("/uploads", body, { "Idempotency-Key": copy === 1 ? key : `${key}-${copy}` });
    if (upload.state !== "received") return upload;
    // the file is a song already: it becomes another one
  }
}

/** @param {string} id @returns {Promise<number>} bytes that the server has */
export async function readOffset(id) {
  const response = await fetch(`${API}/uploads/${id}`, { method: "HEAD" }).catch(() => null);
  if (!response) throw new ApiError(0, "offline", "The server is not responding.", "");
  if (!response.ok) throw await errorOf(response);
  return Number(response.headers.get("Upload-Offset"));
}

/**
 * Sends the next piece of a file.
 * @param {import("./uploads.js").Upload} upload its `request` can be aborted meanwhile
 * @param {(loaded: number, bytesPerSecond: number) => void} progress
 * @returns {Promise<any>} the response
 */
export function sendPiece(upload, progress) {
  const { file, sent, id } = upload;
  const body = file.slice(sent, sent + PIECE_BYTES);
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch reports no upload progress
    upload.request = request;
    request.open("PATCH", `${API}/uploads/${id}`);
    request.setRequestHeader("Upload-Offset", String(sent));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", ({ loaded }) => {
      progress(Math.min(loaded, body.size), loaded / Math.max((performance.now() - began) / 1000, 0.1));
    });
    request.addEventListener("load", () => {
      const { status, responseText: text } = request;
      const response = status < 300 ? parsed(text) : null;
      if (response) resolve(response);
      else reject(problemOf(status, text, request.getResponseHeader("Retry-After")));
    });
    for (const event of ["error", "abort", "timeout"]) {
      request.addEventListener(event, () => reject(new ApiError(0, "offline", "The connection broke.", "")));
    }
    request.send(body);
  });
}

/** @param {string} text @returns {any} its value, or null if it is no JSON */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
