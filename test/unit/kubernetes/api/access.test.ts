import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Right } from '../../../../shared/core/manifests/rbac.ts';
import { missingRights, missingRightsOfServiceAccount } from '../../../../shared/kubernetes/api/access.ts';

interface Review {
  readonly kind: string;
  readonly spec: { readonly namespace?: string; readonly resourceAttributes?: Right };
}

/** Answers access reviews; `most` is the largest number of reviews at once. */
function reviewer(rules: readonly object[], isAllowed: (right: Right) => boolean) {
  const asked: string[] = [];
  let now = 0;
  const self = {
    asked,
    most: 0,
    client: {
      async create(_: string, object: object) {
        const { kind, spec } = object as Review;
        const { verb = '', resource = '' } = spec.resourceAttributes ?? {};
        asked.push(`${kind} ${spec.namespace ?? ''}${verb} ${resource}`);
        now += 1;
        self.most = Math.max(self.most, now);
        await new Promise((resolve) => setImmediate(resolve));
        now -= 1;
        if (kind === 'SelfSubjectRulesReview') return { status: { resourceRules: rules, incomplete: false } };
        return { status: { allowed: spec.resourceAttributes !== undefined && isAllowed(spec.resourceAttributes) } };
      },
    },
  };
  return self;
}

const pods = (verb: string, namespace?: string): Right => ({
  group: '',
  resource: 'pods',
  verb,
  ...(namespace !== undefined && { namespace }),
});

describe('missing rights', () => {
  it('are told by one review of all rules in a namespace, where that shows them', async () => {
    const own = reviewer([{ verbs: ['*'], apiGroups: [''], resources: ['pods', '*/exec'] }], () => false);
    const exec = { ...pods('create', 'a'), subresource: 'exec' };
    assert.deepEqual(await missingRights(own.client, [pods('get', 'a'), pods('list', 'a'), exec]), []);
    assert.deepEqual(own.asked, ['SelfSubjectRulesReview a ']);
  });

  it('are asked for one by one where it does not, as it need not be complete, and for the whole cluster', async () => {
    const named = { verbs: ['get'], apiGroups: [''], resources: ['pods'], resourceNames: ['x'] };
    const own = reviewer([named], ({ verb }) => verb === 'get');
    const rights = [pods('get', 'a'), pods('list', 'a'), pods('watch')];
    assert.deepEqual(await missingRights(own.client, rights), [pods('list', 'a'), pods('watch')]);
    assert.equal(own.asked.length, 4);
  });

  it('are never asked for by more than 8 requests at once', async () => {
    const rights = Array.from({ length: 150 }, (_, index) => pods('get', `ns-${index}`));
    for (const ask of [
      missingRights,
      (client: never, all: readonly Right[]) =>
        missingRightsOfServiceAccount(client, { namespace: 'v', name: 'r' }, all),
    ]) {
      const own = reviewer([], () => true);
      assert.deepEqual(await ask(own.client as never, rights), []);
      assert.deepEqual([own.asked.length, own.most], [150, 8]);
    }
  });
});
