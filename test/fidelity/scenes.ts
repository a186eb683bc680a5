import { deleteScenes } from './corpus/deletes.ts';
import { eventScenes } from './corpus/events.ts';
import { jsonPatchScenes } from './corpus/json-patch.ts';
import { listScenes } from './corpus/lists.ts';
import { objectScenes } from './corpus/objects.ts';
import { otherPatchScenes } from './corpus/other-patches.ts';
import { podScenes } from './corpus/pods.ts';
import { rightScenes } from './corpus/rights.ts';
import type { Scene } from './corpus.ts';

export const scenes: readonly Scene[] = [
  ...jsonPatchScenes,
  ...otherPatchScenes,
  ...objectScenes,
  ...eventScenes,
  ...listScenes,
  ...deleteScenes,
  ...rightScenes,
  ...podScenes,
];
