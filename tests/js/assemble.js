/** From the kernel's source to its bytes: `npm run kernel` writes them where the page reads them. */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import wabt from "wabt";

const file = (name) => new URL(`../../ui/browser/${name}`, import.meta.url);

/** What `ui/browser/kernel_bytes.js` is to say. */
export async function assembled() {
  const { parseWat } = await wabt();
  const parsed = parseWat("kernel.wat", readFileSync(file("kernel.wat"), "utf8"), { simd: true });
  try {
    parsed.validate();
    const lines = Buffer.from(parsed.toBinary({}).buffer).toString("base64").match(/.{1,90}/g);
    const text = lines.map((line) => `  "${line}"`).join(" +\n");
    return `/** The bytes of kernel.wat, in base 64: \`npm run kernel\` writes this. */\n\nexport const KERNEL =\n${text};\n`;
  } finally {
    parsed.destroy();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(file("kernel_bytes.js"), await assembled());
}
