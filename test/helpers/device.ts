/**
 * The devices a test sweeps: every adapter of this machine. SwiftShader must be there, so that no GPU means a loud failure; lavapipe
 * is used where it is installed. `COSYVOICE_TEST_ADAPTERS` (comma-separated) narrows the sweep while developing.
 */
import { listAdapters } from "#platform";
import { Device, type DeviceOptions } from "../../src/gpu/device.js";

const wanted = process.env.COSYVOICE_TEST_ADAPTERS?.split(",");
const reports = (await listAdapters()).filter(({ name }) => !wanted || wanted.includes(name));

/** Names of the adapters that can be had. */
export const adapterNames: readonly string[] = reports.filter(({ found }) => found).map(({ name }) => name);
if (adapterNames.length === 0) {
  throw new Error(`no GPU adapter to test on: ${reports.map(({ name, reason }) => `${name}: ${reason}`).join("; ")}`);
}

const open = new Map<string, Promise<Device>>();

/** One device per adapter and test file. */
export function testDevice(name: string, options: DeviceOptions = {}): Promise<Device> {
  const key = `${name} ${JSON.stringify(options)}`;
  const known = open.get(key);
  if (known) return known;
  const found = reports.find((report) => report.name === name)?.found;
  if (!found) throw new Error(`no adapter ${name}`);
  // An adapter opens one device only; a second device needs a fresh adapter, so each key has its own listing.
  const opening =
    open.size === 0 || ![...open.keys()].some((k) => k.startsWith(`${name} `))
      ? Device.open(found, options)
      : listAdapters().then((fresh) => {
          const again = fresh.find((report) => report.name === name)?.found;
          if (!again) throw new Error(`no adapter ${name}`);
          return Device.open(again, options);
        });
  open.set(key, opening);
  return opening;
}
