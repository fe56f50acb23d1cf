import { RadarChart } from "echarts/charts";
import { RadarComponent } from "echarts/components";
import { type EChartsType, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { colour, onColours } from "./colours";
import { language } from "./times";

use([RadarChart, RadarComponent, CanvasRenderer]);

interface Weapon {
  damage: number;
  kills: number;
}
interface Player {
  account_id: string;
  player_name: string;
  weapon_distribution: Record<string, Weapon>;
}
type Measure = keyof Weapon;

const figures = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const shares = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });

/** Opens or closes a player's weapons below the player's row. */
export async function toggle(button: HTMLElement): Promise<void> {
  const owner = button.closest("tr")!;
  if (button.getAttribute("aria-expanded") === "true") {
    owner.nextElementSibling?.remove();
    button.setAttribute("aria-expanded", "false");
    return;
  }
  button.setAttribute("aria-expanded", "true");
  const texts = document.getElementById("radar-texts")!.dataset as Record<string, string>;
  const row = document.createElement("tr");
  row.className = "detail";
  row.dataset.of = button.dataset.radar;
  const cell = row.insertCell();
  cell.colSpan = owner.cells.length;
  cell.textContent = texts.loading!;
  owner.after(row);
  try {
    const player = (await players()).find((each) => each.account_id === button.dataset.radar);
    if (!player) throw new Error("not on this page");
    cell.replaceChildren(drawn(player, texts));
  } catch {
    cell.replaceChildren(Object.assign(document.createElement("p"), { className: "notice error", textContent: texts.failed }));
    cell.firstElementChild!.setAttribute("role", "alert");
  }
}

async function players(): Promise<Player[]> {
  const response = await fetch(document.getElementById("live")!.dataset.radarUrl!, { cache: "no-cache" });
  if (!response.ok) throw new Error(String(response.status));
  return (await response.json()).data.players;
}

function drawn(player: Player, texts: Record<string, string>): HTMLElement {
  const whole = document.createElement("div");
  whole.className = "radar";
  const left = document.createElement("div");
  const choice = document.createElement("div");
  choice.className = "buttons";
  const place = document.createElement("div");
  place.className = "chart";
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", texts.of!.replace("{name}", player.player_name));
  left.append(choice, place);
  whole.append(left, listed(player, texts));
  const buttons = (["damage", "kills"] as Measure[]).map((measure) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "small";
    button.textContent = texts[measure]!;
    button.addEventListener("click", () => show(measure));
    choice.append(button);
    return [measure, button] as const;
  });
  let chart: EChartsType | undefined;
  let shown: Measure = "damage";

  function show(measure: Measure): void {
    shown = measure;
    for (const [each, button] of buttons) button.setAttribute("aria-pressed", String(each === measure));
    chart?.setOption(option(player, measure, place.clientWidth < 360));
  }

  const watch = new ResizeObserver(() => {
    if (!place.isConnected) {
      watch.disconnect();
      stop();
      chart?.dispose();
    } else if (chart) chart.resize();
    else {
      chart = init(place);
      show(shown);
    }
  });
  watch.observe(place);
  const stop = onColours(() => show(shown));
  show(shown);
  return whole;
}

function option(player: Player, measure: Measure, narrow: boolean): Record<string, unknown> {
  const of = Object.entries(player.weapon_distribution);
  const total = of.reduce((sum, [, weapon]) => sum + weapon[measure], 0);
  const values = of.map(([, weapon]) => (total ? weapon[measure] / total : 0));
  // Even steps and the same outer ring for all ten axes, so that they compare.
  const outer = Math.max(0.2, Math.ceil(Math.max(...values) * 5) / 5);
  const [ink, line, accent] = [colour("soft"), colour("line"), colour("accent")];
  return {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    radar: {
      indicator: of.map(([name]) => ({ name, max: outer })),
      radius: narrow ? "50%" : "72%",
      splitNumber: 4,
      axisName: { color: ink, fontSize: narrow ? 11 : 13, fontFamily: getComputedStyle(document.body).fontFamily },
      axisLine: { lineStyle: { color: line } },
      splitLine: { lineStyle: { color: line } },
      splitArea: { show: false },
    },
    series: {
      type: "radar",
      symbolSize: 5,
      itemStyle: { color: accent },
      lineStyle: { color: accent, width: 2 },
      areaStyle: { color: accent, opacity: 0.2 },
      data: [{ value: values }],
    },
  };
}

/** Returns the same as figures. */
function listed(player: Player, texts: Record<string, string>): HTMLElement {
  const of = Object.entries(player.weapon_distribution);
  const total = of.reduce((sum, [, weapon]) => sum + weapon.damage, 0);
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const [index, key] of ["category", "totalDamage", "damage", "totalKills"].entries()) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = texts[key]!;
    if (index) cell.className = "number";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const [name, weapon] of of) {
    const row = body.insertRow();
    const heading = document.createElement("th");
    heading.scope = "row";
    heading.textContent = name;
    row.append(heading);
    for (const text of [figures.format(weapon.damage), shares.format(total ? weapon.damage / total : 0), String(weapon.kills)]) {
      const cell = row.insertCell();
      cell.className = "number";
      cell.textContent = text;
    }
  }
  return table;
}
