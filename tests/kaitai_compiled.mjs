// Compiles a Kaitai Struct file, reads frames with what the compiler made, and prints what was read. Both stand as JSON
// on the standard input. Run in a folder where npm has installed kaitai-struct-compiler, kaitai-struct and yaml.
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";

const require = createRequire(`${process.cwd()}/`);
const compiler = require("kaitai-struct-compiler");
const KaitaiStream = require("kaitai-struct/KaitaiStream");
const yaml = require("yaml");
const { file, frames } = JSON.parse(await text(process.stdin));

for (const [name, source] of Object.entries(await compiler.compile("javascript", yaml.parse(file), null, false))) {
  writeFileSync(name, source);
}
const { Ctiex } = require("./Ctiex.js");

const shown = (key, value) => {
  if (key.startsWith("_")) return undefined;
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
};
const read = frames.map((hex) => {
  try {
    return new Ctiex(new KaitaiStream(Buffer.from(hex, "hex"))).frames[0].content;
  } catch (error) {
    return { fault: String(error) };
  }
});
console.log(JSON.stringify(read, shown));
