import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { Button } from '#components/button.tsx';
import { eventsQuery } from '../../api/events.ts';
import { Page, Piece } from '../../parts/page.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { Table } from '../../parts/table.tsx';
import { Time } from '../../parts/time.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { NewEvent } from './new-event.tsx';

/** The signals that the SaaS company's own product sends. */
export function EventsPage() {
  const environment = useEnvironment();
  const query = useQuery(eventsQuery(environment));
  const [isMaking, setMaking] = useState(false);
  const create = (
    <Button kind="primary" icon="plus" onClick={() => setMaking(true)}>
      New Event
    </Button>
  );
  return (
    <Page
      title="Events"
      lead="What happens in your product and may start workflows of your customers."
      actions={create}
    >
      <Piece isFlush>
        <Loaded query={query}>
          {(events) =>
            events.length === 0 ? (
              <Empty icon="external" title="No event yet" actions={create}>
                An event has a name, such as “New Contact Created”, and a sample of the data that comes with
                it. Workflows can then use every field of the sample.
              </Empty>
            ) : (
              <Table columns={['Event', 'Fields', 'Changed']}>
                {events.map((event) => (
                  <tr key={event.id} data-href>
                    <td>
                      <Link
                        to="/$environment/your-app/events/$eventId"
                        params={{ environment, eventId: event.id }}
                      >
                        {event.name}
                      </Link>
                    </td>
                    <td>
                      <code className="muted">{Object.keys(event.sample).join(', ') || 'none'}</code>
                    </td>
                    <td>
                      <Time at={event.updated_at} />
                    </td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Loaded>
      </Piece>
      {isMaking && <NewEvent onClose={() => setMaking(false)} />}
    </Page>
  );
}
