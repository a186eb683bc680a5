import process from 'node:process';
import { Pod } from '../shared/core/model/pod.ts';
import { parseRestore } from '../shared/core/model/restore.ts';
import { planRestoreHooks } from '../shared/core/plan/plan-restore-hooks.ts';
import { pods as podObjects, restore as restoreObject } from './plan-input.ts';

const pods = podObjects.map((each) => Pod.parse(each));
const restore = parseRestore(restoreObject);
if (!restore.ok) throw new Error(JSON.stringify(restore.problems));

const from = performance.now();
const { hooks } = planRestoreHooks({ restore: restore.value, pods });
const ms = performance.now() - from;
process.stdout.write(JSON.stringify({ ms, hooks: hooks.length }));
