interface Circle {
  elapsed_time_s: number | null;
  alive_players: number | null;
  blue_x_m: number;
  blue_y_m: number;
  blue_radius_m: number;
  white_x_m: number | null;
  white_y_m: number | null;
  white_radius_m: number | null;
}
interface Place {
  elapsed_time_s: number | null;
  x_m: number | null;
  y_m: number | null;
}
interface Landing extends Place {
  player_name: string;
  team_id: number | null;
}
interface Death extends Place {
  victim_name: string | null;
  killer_name: string | null;
  killer_team_id: number | null;
  victim_team_id: number | null;
}
interface Way {
  player_name: string;
  team_id: number | null;
  positions: [number, number, number][];
}
interface MatchMap {
  side_m: number | null;
  teams: { team_id: number; team_name: string }[];
  circles: Circle[];
  landings: Landing[];
  deaths: Death[];
  ways: Way[];
}
type Texts = Record<string, string>;

/** Replaces a button by the map of its match. */
export async function open(button: HTMLElement): Promise<void> {
  const place = document.getElementById("map")!;
  const texts = place.dataset as Texts;
  const said = document.createElement("p");
  said.setAttribute("role", "status");
  said.textContent = texts.loading!;
  button.replaceWith(said);
  try {
    const response = await fetch(button.dataset.map!);
    if (!response.ok) throw new Error(String(response.status));
    const map: MatchMap = (await response.json()).data;
    if (!map.circles.length && !map.landings.length) said.textContent = texts.nothing!;
    else said.replaceWith(drawn(map, texts));
  } catch {
    said.setAttribute("role", "alert");
    said.className = "notice error";
    said.textContent = texts.failed!;
  }
}

function drawn(map: MatchMap, texts: Texts): HTMLElement {
  const side = map.side_m ?? furthest(map);
  const unit = side / 800;
  const whole = document.createElement("div");
  whole.className = "map";
  const svg = shape("svg", { viewBox: `0 0 ${side} ${side}`, role: "img", class: "field", "aria-label": texts.label! });
  for (let line = 1000; line < side; line += 1000) {
    svg.append(shape("path", { d: `M${line} 0V${side}M0 ${line}H${side}`, class: "grid", "stroke-width": unit }));
  }
  const names = new Map(map.teams.map((team) => [team.team_id, team.team_name]));
  const named = (player: string | null, team: number | null) =>
    [player ?? "–", team !== null && names.get(team)].filter(Boolean).join(" · ");

  const [white, blue] = ["white", "blue"].map((kind) => shape("circle", { class: `zone ${kind}`, "stroke-width": 2.5 * unit }));
  const landings = map.landings.filter(located).map((each) => {
    const dot = shape("circle", { cx: each.x_m!, cy: each.y_m!, r: 5 * unit, class: "landing" });
    return of(dot, `${texts.landed} ${named(each.player_name, each.team_id)}`, [each.team_id], each.elapsed_time_s);
  });
  const deaths = map.deaths.filter(located).map((each) => {
    const arm = 5 * unit;
    const cross = shape("path", {
      d: `M${each.x_m! - arm} ${each.y_m! - arm}l${2 * arm} ${2 * arm}m0 ${-2 * arm}l${-2 * arm} ${2 * arm}`,
      class: "death",
      "stroke-width": 2.2 * unit,
    });
    const by = each.killer_name ? ` ← ${named(each.killer_name, each.killer_team_id)}` : "";
    const text = `${texts.died} ${named(each.victim_name, each.victim_team_id)}${by}`;
    return of(cross, text, [each.victim_team_id, each.killer_team_id], each.elapsed_time_s);
  });
  const ways = map.ways.map((way) => {
    const line = shape("path", { class: "way", "stroke-width": 3 * unit });
    const head = shape("circle", { r: 7 * unit, class: "head" });
    return { way, head, ...of(line, named(way.player_name, way.team_id), [way.team_id], null) };
  });
  const seen = new Map(map.circles.filter((each) => each.white_radius_m).map((each) => [each.white_radius_m, each]));
  for (const each of seen.values()) {
    const ring = shape("circle", { class: "ring", "stroke-width": unit });
    put(ring, [each.white_x_m, each.white_y_m, each.white_radius_m]);
    svg.append(ring);
  }
  svg.append(blue!, white!, ...landings.map((each) => each.node), ...deaths.map((each) => each.node));
  svg.append(...ways.flatMap((each) => [each.node, each.head]));

  const last = Math.ceil(Math.max(1, ...map.circles.map(when), ...map.deaths.map(when)));
  const slider = Object.assign(document.createElement("input"), { type: "range", min: "0", max: String(last), step: "5" });
  slider.value = String(last);
  const clock = document.createElement("output");
  const teams = document.createElement("select");
  teams.append(new Option(texts.all!, ""), ...map.teams.map((team) => new Option(team.team_name, String(team.team_id))));

  const show = () => {
    const now = Number(slider.value);
    const own = teams.value ? Number(teams.value) : null;
    const circle = at(map.circles, now);
    const alive = circle?.alive_players ?? null;
    clock.textContent = `${Math.floor(now / 60)}:${String(now % 60).padStart(2, "0")}`;
    if (alive !== null) clock.textContent += ` · ${texts.alive!.replace("{n}", String(alive))}`;
    slider.setAttribute("aria-valuetext", clock.textContent);
    put(blue!, circle && [circle.blue_x_m, circle.blue_y_m, circle.blue_radius_m]);
    put(white!, circle && [circle.white_x_m, circle.white_y_m, circle.white_radius_m]);
    for (const each of [...landings, ...deaths]) {
      each.node.toggleAttribute("hidden", (each.at ?? 0) > now);
      each.node.classList.toggle("dim", own !== null && !each.teams.includes(own));
      each.node.classList.toggle("own", own !== null && each.teams[0] === own);
    }
    for (const { way, node, head } of ways) {
      const gone = way.positions.filter(([second]) => second <= now);
      node.setAttribute("d", gone.map(([, x, y], index) => `${index ? "L" : "M"}${x} ${y}`).join(""));
      put(head, gone.length ? [...gone.at(-1)!.slice(1), 7 * unit] : undefined);
    }
  };
  slider.addEventListener("input", show);
  teams.addEventListener("change", show);

  const controls = document.createElement("div");
  controls.className = "controls";
  controls.append(labelled(texts.time!, slider, clock), labelled(texts.team!, teams), legend(texts, map.ways));
  whole.append(svg, controls);
  show();
  return whole;
}

function labelled(text: string, ...what: HTMLElement[]): HTMLElement {
  const label = document.createElement("label");
  label.append(text, ...what);
  return label;
}

function legend(texts: Texts, ways: Way[]): HTMLElement {
  const list = document.createElement("ul");
  list.className = "legend";
  const kinds: [string, string][] = [
    ["zone blue", texts.boundary!],
    ["zone white", texts.next!],
    ["landing", texts.landed!],
    ["death", texts.died!],
  ];
  for (const way of ways) kinds.push(["way", `${texts.way} ${way.player_name}`]);
  for (const [kind, text] of kinds) {
    const item = document.createElement("li");
    const sign = shape("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" });
    if (kind === "death") sign.append(shape("path", { d: "M4 4l8 8m0-8l-8 8", class: kind, "stroke-width": 2 }));
    else if (kind === "way") sign.append(shape("path", { d: "M1 13L6 5l4 5 5-8", class: kind, "stroke-width": 2 }));
    else sign.append(shape("circle", { cx: 8, cy: 8, r: kind === "landing" ? 4 : 6, class: kind, "stroke-width": 2 }));
    item.append(sign, text);
    list.append(item);
  }
  return list;
}

function of(node: SVGElement, title: string, teams: (number | null)[], at: number | null) {
  node.append(Object.assign(shape("title", {}), { textContent: title }));
  return { node, teams, at };
}

function put(circle: SVGElement, place: readonly (number | null)[] | undefined): void {
  const is = place?.every((each) => each !== null) ?? false;
  circle.toggleAttribute("hidden", !is);
  if (is) for (const [index, name] of ["cx", "cy", "r"].entries()) circle.setAttribute(name, String(place![index]));
}

/** Returns the circles at a time: the boundary shrinks steadily between two states; the next circle does not move. */
function at(circles: Circle[], now: number): Circle | undefined {
  const index = circles.findLastIndex((circle) => when(circle) <= now);
  const [here, next] = [circles[index], circles[index + 1]];
  if (!here || !next) return here;
  const share = (now - when(here)) / Math.max(1, when(next) - when(here));
  const between = (key: "blue_x_m" | "blue_y_m" | "blue_radius_m") => here[key] + share * (next[key] - here[key]);
  return { ...here, blue_x_m: between("blue_x_m"), blue_y_m: between("blue_y_m"), blue_radius_m: between("blue_radius_m") };
}

function when(each: { elapsed_time_s: number | null }): number {
  return each.elapsed_time_s ?? 0;
}

function located(each: Place): boolean {
  return each.x_m !== null && each.y_m !== null;
}

function furthest(map: MatchMap): number {
  const all = [...map.landings, ...map.deaths].filter(located).flatMap((each) => [each.x_m!, each.y_m!]);
  return Math.max(1000, ...all);
}

function shape(name: string, attributes: Record<string, string | number>): SVGElement {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  return node;
}
