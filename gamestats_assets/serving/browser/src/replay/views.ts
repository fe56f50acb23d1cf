/** Where it can be looked from: `flat` is drawn without WebGL. */
export type View = "orbit" | "top" | "follow" | "ball" | "flat";
export const VIEWS: View[] = ["orbit", "top", "follow", "ball", "flat"];
