const page = document.documentElement.lang || "en";
/** The server's language, so that a page writes days in one way, in sentences and tables. */
export const language = page === "en" ? "en-GB" : page;

const date = { day: "numeric", month: "short", year: "numeric" } as const;
const time = { hour: "2-digit", minute: "2-digit" } as const;
const formats = {
  moment: new Intl.DateTimeFormat(language, { ...date, ...time, timeZoneName: "short" }),
  hour: new Intl.DateTimeFormat(language, time),
  // A day is the same in every time zone.
  day: new Intl.DateTimeFormat(language, { ...date, timeZone: "UTC" }),
};
const clock = new Intl.DateTimeFormat(language, { ...time, second: "2-digit" });

/** Writes the times of a page, which come in UTC, in the reader's time zone, and names it. */
export function localise(within: ParentNode): void {
  for (const [kind, format] of Object.entries(formats)) {
    for (const each of within.querySelectorAll<HTMLTimeElement>(`time[data-${kind}]`)) {
      // The server writes September with three letters, as other months.
      const text = format.format(new Date(each.dateTime)).replace(/\bSept\b/, "Sep");
      if (kind !== "day" && !each.title) each.title = each.textContent ?? "";
      if (each.textContent !== text) each.textContent = text;
    }
  }
}

/** Returns the time of day, to the second. */
export function timeOfDay(at: Date): string {
  return clock.format(at);
}
