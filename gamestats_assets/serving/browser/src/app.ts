import "htmx.org";
import { localise } from "./times";
import { offerThemes } from "./colours";

/** What every page does, and again for what was put into it. */
function enliven(): void {
  localise(document);
  offerThemes();
}

document.addEventListener("htmx:after:swap", enliven);
document.addEventListener("htmx:before:request", () => waiting(true));
document.addEventListener("htmx:finally:request", () => waiting(false));
enliven();

function waiting(is: boolean): void {
  const main = document.getElementById("main");
  main?.setAttribute("aria-busy", String(is));
  main?.classList.toggle("waiting", is);
  document.querySelector("body > .bar")?.remove();
  if (is) document.body.append(Object.assign(document.createElement("div"), { className: "bar" }));
}
