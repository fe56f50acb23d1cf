/** The language of the page, for what the browser writes itself. */
export const language = document.documentElement.lang || "en";

const moments = new Intl.DateTimeFormat(language, {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Writes the times of a page, which come in UTC, in the zone of whoever looks, and names it. */
export function localise(within: ParentNode): void {
  for (const time of within.querySelectorAll<HTMLTimeElement>("time[data-moment]")) {
    time.title ||= time.textContent ?? "";
    time.textContent = moments.format(new Date(time.dateTime));
  }
}

/** The time of day, to the second. */
export function timeOfDay(at: Date): string {
  return clock.format(at);
}
