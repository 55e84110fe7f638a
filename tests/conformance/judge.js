// Runs http-cache-tests, and fails unless every requirement is met: judge.js NODE_MODULES URL REPORTS

import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const [modules, url, reports] = process.argv.slice(2)
const load = file => import(path.join(modules, 'http-cache-tests', file))
const { default: suites } = await load('tests/index.mjs')
const { runTests, getResults } = await load('client/runner.mjs')
const fetch = createRequire(path.join(modules, 'x'))('node-fetch')

// The first connection through QEMU takes its time, and others at the same time are reset.
await fetch(url)
// So many at a time: what QEMU forwards has hardly a queue, and connections that find it full wait for a minute.
await runTests(suites, fetch, false, url, 12)
const results = getResults()
fs.writeFileSync(path.join(reports, 'results.json'), JSON.stringify(results, null, 2))

const tests = suites.flatMap(suite => suite.tests).filter(test => !test.browser_only)
const byId = new Map(tests.map(test => [test.id, test]))
// As the suite's own report has it: what builds on something that is not met says nothing, nor does what did not
// come so far that it could be seen.
const isMet = id => results[id] === true
const builds = test => (test.depends_on ?? []).every(id => isMet(id) && builds(byId.get(id)))
const isSeen = test => builds(test) && (isMet(test.id) || results[test.id]?.[0] === 'Assertion')

const told = { required: [0, 0], optimal: [0, 0], check: [0, 0] }
for (const test of tests) {
  const { id, kind = 'required', name } = test
  const said = JSON.stringify(results[id])
  if (!isSeen(test)) {
    console.log(`test ${id} ... ignored: ${said}`)
    continue
  }
  told[kind][isMet(id) ? 0 : 1] += 1
  if (kind === 'required' && !isMet(id)) {
    console.log(`test ${id} ... FAILED: ${name}: ${said}`)
  }
}
for (const [kind, [met, unmet]] of Object.entries(told)) {
  console.log(`${kind}: ${met} of ${met + unmet}`)
}
const [passed, failed] = told.required
console.log(`conformance: ${passed} passed, ${failed} failed`)
// A suite that sees nothing has found nothing.
process.exit(passed > 0 && failed === 0 ? 0 : 1)
