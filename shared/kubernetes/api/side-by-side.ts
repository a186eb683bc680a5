/** Few enough not to burden an API server, and enough to be fast. */
const AT_ONCE = 8;

/**
 * Ask for each item, at most 8 at the same time; the answers are in the items' order. Rejects with the first failure.
 */
export async function sideBySide<Item, Answer>(
  items: readonly Item[],
  ask: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const left = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of left) answers[index] = await ask(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  return answers;
}
