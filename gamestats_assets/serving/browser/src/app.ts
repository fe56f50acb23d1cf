import "htmx.org";
import { offerThemes } from "./colours";
import { copy } from "./copying";
import { keepLive } from "./live";
import { localise } from "./times";
import { takeUploads } from "./uploads";

/** Sets up every page, and later the parts that were put into it. */
function enliven(): void {
  localise(document);
  offerThemes();
  keepLive();
  takeUploads();
}

document.addEventListener("htmx:after:swap", enliven);
document.addEventListener("htmx:before:request", ({ target }) => {
  // Regular background requests show no sign of waiting.
  if (!(target as Element).closest("[data-quiet]")) waiting(true);
});
document.addEventListener("htmx:finally:request", () => waiting(false));
document.addEventListener("change", ({ target }) => {
  (target as Element).closest<HTMLFormElement>("form[data-submit-on-change]")?.requestSubmit();
});
document.addEventListener("click", ({ target }) => {
  const copier = (target as Element).closest<HTMLElement>("[data-copy]");
  if (copier) void copy(copier);
  const opener = (target as Element).closest<HTMLElement>("[data-radar], [data-map]");
  // The code of charts is large, and loaded when one is opened.
  if (opener?.dataset.radar) void import("./radar").then((radar) => radar.toggle(opener));
  if (opener?.dataset.map) void import("./map").then((map) => map.open(opener));
});
enliven();

function waiting(is: boolean): void {
  const main = document.getElementById("main");
  main?.setAttribute("aria-busy", String(is));
  main?.classList.toggle("waiting", is);
  document.querySelector("body > .bar")?.remove();
  if (is) document.body.append(Object.assign(document.createElement("div"), { className: "bar" }));
}
