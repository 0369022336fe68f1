/** The drivers that Vulkan's loader would find on Linux, by their manifests. */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the loader looks, as its documentation has it, and where NixOS lets it look besides. */
function folders(): string[] {
  const { XDG_CONFIG_HOME, XDG_CONFIG_DIRS, XDG_DATA_HOME, XDG_DATA_DIRS } = process.env;
  const places = [
    XDG_CONFIG_HOME || join(homedir(), ".config"),
    ...(XDG_CONFIG_DIRS || "/etc/xdg").split(":"),
    ...["/usr/local/etc", "/etc"],
    XDG_DATA_HOME || join(homedir(), ".local", "share"),
    ...(XDG_DATA_DIRS ?? "").split(":").filter((place) => place !== ""),
    ...["/usr/local/share", "/usr/share", "/run/opengl-driver/share"],
  ];
  return [...new Set(places.map((place) => join(place, "vulkan", "icd.d")))];
}

/** Paths of the manifests. */
export function driverManifests(): string[] {
  return folders()
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
    .filter((path) => path.endsWith(".json"));
}

/** Whether it is worth asking for one: where there is none, Dawn says so on stderr in four lines of its own, which nothing turns off. */
export function mayHaveDrivers(): boolean {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES, VK_ADD_DRIVER_FILES } = process.env;
  const named = VK_DRIVER_FILES || VK_ICD_FILENAMES || VK_ADD_DRIVER_FILES;
  return process.platform !== "linux" || Boolean(named) || driverManifests().length > 0;
}
