// Where a link in an answer may lead. What a model writes is under the control of whoever wrote what it read.

const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** The address to link to, or null: only http, https, mail, and places on this very page (`#…`). */
export function allowed(address: string): string | null {
  // Markdown may carry a title behind the address, and angle brackets around it.
  const trimmed = address.trim();
  const bare = trimmed.startsWith("<") ? trimmed.slice(1).split(">")[0]! : trimmed.split(/\s/)[0]!;
  if (/^#[\w-]*$/.test(bare)) return bare;
  try {
    const url = new URL(bare);
    // A name before the host is there to be taken for the host.
    return SCHEMES.has(url.protocol) && url.username === "" && url.password === "" ? url.href : null;
  } catch {
    return null; // relative addresses would lead into this service under words that a stranger chose
  }
}
