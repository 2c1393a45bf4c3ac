// Elements and texts. Text from the air reaches the page only through here, and only as text.

export const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes and children. Strings become text nodes; functions become listeners. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(e, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') e.addEventListener(name, value);
    else e.setAttribute(name, value === true ? '' : String(value));
  }
  for (const c of children.flat(Infinity)) if (c !== null && c !== undefined) e.append(c instanceof Node ? c : document.createTextNode(String(c)));
  return e;
}

// Control characters, and those that turn the direction of a line or are not seen.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Text of others: what would not be seen, or would turn the line, is written out; what is too long is cut and counted. */
export function shown(text, most = 400) {
  const s = String(text ?? '');
  const cut = s.length > most ? s.slice(0, most) : s;
  const written = cut.replace(UNSEEN, (c) => '\u27e8' + c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0') + '\u27e9');
  return cut.length < s.length ? `${written}\u2026 (${s.length} characters)` : written;
}

/** A name as people write it: mary -> Mary. */
export function called(name) {
  const s = shown(name, 24);
  return s.charAt(0).toUpperCase() + s.slice(1);
}

export function linkText(link) {
  return link ? String(link).split('-').map(called).join('\u2013') : '';
}

export function seconds(t, digits = 3) {
  return Number.isFinite(t) ? t.toFixed(digits) : '';
}

/** Hex in pairs: what can be compared by eye. */
export function spaced(hex, octets = 1) {
  return String(hex ?? '').replace(/[^0-9a-fA-F]/g, '').replace(new RegExp(`(.{${2 * octets}})(?=.)`, 'g'), '$1 ');
}

export function octetsOf(hex) {
  const clean = String(hex ?? '').replace(/[^0-9a-fA-F]/g, '');
  const out = new Uint8Array(clean.length >> 1);
  for (let i = 0; i < out.length; ++i) out[i] = parseInt(clean.substr(2 * i, 2), 16);
  return out;
}

export function octetsOfBase64(text) {
  const s = atob(text);
  const out = new Uint8Array(s.length);
  for (let i = 0; i < s.length; ++i) out[i] = s.charCodeAt(i);
  return out;
}

export const CHANNELS = ['PSBCH', 'PSCCH', 'PSSCH', 'PSDCH'];

let probe;
/** A colour of style.css as a canvas takes it; it follows the theme. */
export function colour(name) {
  if (!probe) {
    probe = el('span', {hidden: true});
    document.body.append(probe);
  }
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** A canvas in the device's own pixels; returns its context in CSS pixels and its size. */
export function sharp(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const c = canvas.getContext('2d');
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  return {c, width, height};
}

/** A step of 1, 2 or 5 times a power of ten that makes about `wanted` parts of `whole`. */
export function niceStep(whole, wanted) {
  const rough = whole / wanted, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((m) => m * power >= rough) * power;
}
