// Plain JavaScript for old runtimes: every npm script imports it first, before any TypeScript is loaded.
if (!process.features.typescript) {
  console.error(
    'Plinth runs TypeScript directly and needs Node.js 22.18 or newer, best 24 LTS (https://nodejs.org/en/download); ' +
      `this is Node.js ${process.versions.node}.`
  )
  process.exit(1)
}
