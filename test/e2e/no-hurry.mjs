// Loaded into a completion before its own code (`node --import`): its deadline is later by HURRY_LESS_MS. On a busy machine
// a test of what is answered would never see an answer otherwise.
import process from 'node:process';

const { now } = performance;
performance.now = () => now.call(performance) - Number(process.env.HURRY_LESS_MS);
