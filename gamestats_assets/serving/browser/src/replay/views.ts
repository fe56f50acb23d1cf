/** Available views; `flat` needs no WebGL. */
export type View = "orbit" | "top" | "follow" | "ball" | "flat";
export const VIEWS: View[] = ["orbit", "top", "follow", "ball", "flat"];
