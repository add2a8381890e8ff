import { type MantineColorScheme, Menu, useMantineColorScheme } from '@mantine/core';
import { useQueryClient, useSuspenseQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Icon } from '#components/icon.tsx';
import { sessionQuery, signOut } from '../api/session.ts';

const schemes: readonly { readonly value: MantineColorScheme; readonly name: string }[] = [
  { value: 'auto', name: 'Like the system' },
  { value: 'light', name: 'Light' },
  { value: 'dark', name: 'Dark' },
];

/** Who is signed in, the colours, and the way out. */
export function AccountMenu() {
  const { data: session } = useSuspenseQuery(sessionQuery);
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const leave = async () => {
    await signOut();
    await navigate({ to: '/sign-in', search: {} });
    queries.clear();
  };
  return (
    <Menu position="top-start" width="target" withinPortal={false}>
      <Menu.Target>
        <button type="button" className="who">
          <span className="initials" aria-hidden="true">
            {session.user.name.trim().charAt(0).toUpperCase() || '?'}
          </span>
          <span className="clip">
            <span className="clip">{session.user.name}</span>
            <span className="clip muted small">{session.user.email}</span>
          </span>
          <Icon name="chevronDown" />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Colours</Menu.Label>
        {schemes.map(({ value, name }) => (
          <Menu.Item
            key={value}
            role="menuitemradio"
            aria-checked={colorScheme === value}
            leftSection={<Icon name={colorScheme === value ? 'check' : 'contrast'} />}
            onClick={() => setColorScheme(value)}
          >
            {name}
          </Menu.Item>
        ))}
        <Menu.Label>Session</Menu.Label>
        <Menu.Item leftSection={<Icon name="signOut" />} onClick={() => void leave()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
