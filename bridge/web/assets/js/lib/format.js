// @ts-check
// Times, sizes and shares as people read them.

/** @param {number} seconds @returns {string} such as 3:07 or 1:02:03 */
export function formatTime(seconds) {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** @param {number} seconds @returns {string} such as 3:07.4 */
export function formatTenths(seconds) {
  const tenths = Math.floor(Math.max(0, seconds) * 10 + 1e-6);
  return `${formatTime(Math.floor(tenths / 10))}.${tenths % 10}`;
}

/** @param {number} bytes @returns {string} such as 12.3 MB or 200 MB */
export function formatBytes(bytes) {
  if (bytes < 1e6) return `${Math.max(bytes > 0 ? 1 : 0, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${Number((bytes / 1e6).toFixed(1))} MB` : `${Number((bytes / 1e9).toFixed(2))} GB`;
}

/** @param {number} days @returns {string} such as 1 day or 30 days */
export function formatDays(days) {
  return days === 1 ? "1 day" : `${days} days`;
}

/** @param {number} share 0 to 1 @returns {string} */
export function formatShare(share) {
  return `${Math.floor(Math.min(Math.max(share, 0), 1) * 100)} %`;
}

/** @param {string} path such as room_size @returns {string} such as Room size */
export function formatName(path) {
  const words = path.replaceAll("_", " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
