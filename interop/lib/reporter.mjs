// A line a test, the reason of each failure, and the counts at the end. A test that is skipped or put off has failed.

import { inspect } from "node:util";

export default async function* reporter(events) {
  const counts = { passed: 0, failed: 0 };
  for await (const { type, data } of events) {
    const isResult = (type === "test:pass" || type === "test:fail") && data.details.type !== "suite";
    if (type === "test:fail" && data.details.type === "suite" && data.details.error.failureType !== "subtestsFailed") {
      counts.failed += 1;
      yield `FAILED ${data.name}\n${inspect(data.details.error.cause)}\n`;
    } else if (isResult) {
      const passed = type === "test:pass" && data.skip === undefined && data.todo === undefined;
      counts[passed ? "passed" : "failed"] += 1;
      const seconds = (data.details.duration_ms / 1000).toFixed(1);
      yield `${passed ? "ok" : "FAILED"} ${data.name} (${seconds} s)\n`;
      if (!passed) yield `${inspect(data.details.error?.cause ?? data)}\n`;
    }
  }
  yield `${counts.passed} passed, ${counts.failed} failed\n`;
  if (counts.failed > 0 || counts.passed === 0) process.exitCode = 1;
}
