/**
 * Which addresses of a model's text may become links, and what is said of them.
 *
 * Pure. Called by `safe_html.ts`.
 */

const PROTOCOLS: ReadonlySet<string> = new Set(['http:', 'https:', 'mailto:']);

export interface SafeLink {
  readonly href: string;
  /** Where it leads, as it is shown beside the link. */
  readonly place: string;
}

/** Read an address; `null` unless it is a whole one of an allowed kind. */
export function readLink(address: string): SafeLink | null {
  let url: URL;
  try {
    // Without a base, so that nothing relative is an address.
    url = new URL(address);
  } catch {
    return null;
  }
  if (!PROTOCOLS.has(url.protocol)) {
    return null;
  }
  if (url.protocol === 'mailto:') {
    return { href: url.href, place: url.pathname };
  }
  // Names and passwords in an address only make it look like another one's.
  url.username = '';
  url.password = '';
  return url.host === '' ? null : { href: url.href, place: url.host };
}

/** Whether a link's text already is its address, so that its place need not be said again. */
export function saysPlace(text: string, { href, place }: SafeLink): boolean {
  const shown = text.trim().toLowerCase();
  const whole = href.toLowerCase();
  return [whole, whole.replace(/\/$/, ''), whole.replace(/^https?:\/\//, ''), place].includes(shown);
}
