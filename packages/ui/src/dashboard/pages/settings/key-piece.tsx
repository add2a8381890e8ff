import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from '#components/button.tsx';
import type { Environment } from '../../api/http.ts';
import { type ApiKey, apiKeysQuery, regenerateApiKey, revealApiKey } from '../../api/organization.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { SecretLine } from '../../parts/copy.tsx';
import { Piece } from '../../parts/page.tsx';
import { Loaded } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { useToast } from '../../parts/toast.tsx';

const names = { test: 'TEST API key', production: 'PRODUCTION API key' };

/** The API key of one environment: masked, shown on demand, replaceable. */
export function KeyPiece({ environment }: { environment: Environment }) {
  const query = useQuery(apiKeysQuery);
  return (
    <Piece
      title={names[environment]}
      note="For your server only. Whoever has it can do everything in this environment."
    >
      <Loaded query={query}>
        {(keys) => (
          <>
            {keys
              .filter((key) => key.environment === environment)
              .map((key) => (
                <Key key={key.id} apiKey={key} />
              ))}
          </>
        )}
      </Loaded>
    </Piece>
  );
}

function Key({ apiKey }: { apiKey: ApiKey }) {
  const queries = useQueryClient();
  const toast = useToast();
  const [isAsking, setAsking] = useState(false);
  const replace = async () => {
    await regenerateApiKey(apiKey);
    await queries.invalidateQueries({ queryKey: apiKeysQuery.queryKey });
    toast('The key was replaced');
  };
  return (
    <div className="stack-tight">
      <SecretLine
        // A replaced key must not show the old one.
        key={apiKey.hint}
        what="API key"
        hint={apiKey.hint}
        reveal={() => revealApiKey(apiKey.id)}
      />
      <div className="row-between">
        <span className="muted small">
          Made <Time at={apiKey.created_at} />
        </span>
        <Button icon="refresh" onClick={() => setAsking(true)}>
          Regenerate
        </Button>
      </div>
      {isAsking && (
        <Confirm
          title="Replace this API key?"
          verb="Replace key"
          onConfirm={replace}
          onClose={() => setAsking(false)}
        >
          <p>
            The old key stops working at once: every server of yours that uses it is refused until it has the
            new one. Webhooks are signed with the new key from now on.
          </p>
        </Confirm>
      )}
    </div>
  );
}
