/** A time zone that charts show: `local`, or a name of the IANA database such as `UTC` or `Europe/Berlin`. */
export type Zone = string;

export const LOCAL = "local";
export const UTC = "UTC";

const formats = new Map<Zone, Intl.DateTimeFormat>();

/** Milliseconds that a zone's clocks are ahead of UTC at a moment. */
export function offsetAt(millis: number, zone: Zone): number {
  if (zone === UTC) return 0;
  if (zone === LOCAL) return -new Date(millis).getTimezoneOffset() * 60_000;
  let format = formats.get(zone);
  if (!format) {
    const parts = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" } as const;
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", ...parts });
    formats.set(zone, format);
  }
  const part = Object.fromEntries(format.formatToParts(millis).map(({ type, value }) => [type, Number(value)]));
  const shown = Date.UTC(part["year"] ?? 0, (part["month"] ?? 1) - 1, part["day"] ?? 1, part["hour"] ?? 0, part["minute"] ?? 0, part["second"] ?? 0);
  return shown - Math.floor(millis / 1000) * 1000;
}

/** The moment at which a zone's clocks show `2026-11-24T14:30:05`; NaN when that is no time. */
export function momentOf(shown: string, zone: Zone): number {
  const guess = Date.parse(`${shown}Z`);
  // Twice, since the offset is that of the moment looked for, which may lie beyond a change of the clocks.
  const near = guess - offsetAt(Number.isNaN(guess) ? 0 : guess, zone);
  return Number.isNaN(guess) ? NaN : guess - offsetAt(near, zone);
}

/** Whether this browser knows a zone. */
export function isZone(name: string): boolean {
  if (name === LOCAL || name === UTC) return true;
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** All zones there are to choose from, the two common ones first. */
export function zones(): Zone[] {
  const known = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
  return [LOCAL, UTC, ...known.filter((name) => name !== UTC)];
}

/** `UTC`, `Europe/Berlin`; of the device's own zone its name. */
export function zoneName(zone: Zone): string {
  return zone === LOCAL ? `Local (${new Intl.DateTimeFormat().resolvedOptions().timeZone})` : zone;
}
