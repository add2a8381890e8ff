import { useMutation, useSuspenseQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Button } from '#components/button.tsx';
import { ApiError } from '../../api/http.ts';
import { changePassword, sessionQuery } from '../../api/session.ts';
import { Failure } from '../../parts/failure.tsx';
import { Page, Piece } from '../../parts/page.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { useToast } from '../../parts/toast.tsx';

const shortestPassword = 10;

/** Who is signed in, and the password. */
export function YourAccountPage() {
  const { data: session } = useSuspenseQuery(sessionQuery);
  return (
    <Page title="Your account">
      <div className="stack">
        <Piece title="Profile">
          <dl className="facts">
            <dt>Name</dt>
            <dd>{session.user.name}</dd>
            <dt>Email</dt>
            <dd>{session.user.email}</dd>
            <dt>Role</dt>
            <dd>{session.role}</dd>
          </dl>
        </Piece>
        <Password email={session.user.email} />
      </div>
    </Page>
  );
}

function Password({ email }: { email: string }) {
  const toast = useToast();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const change = useMutation({
    mutationFn: () => changePassword({ current_password: current, new_password: next }),
    onSuccess: () => {
      toast('Password changed. Every other browser was signed out.');
      setCurrent('');
      setNext('');
    },
  });
  const problemOf = (path: string) =>
    change.error instanceof ApiError ? change.error.problemOf(path) : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <Piece title="Password" note="Changing it signs out every other browser.">
      <form className="form" onSubmit={submit}>
        {/* Tells a password manager whose password this is. */}
        <input type="email" autoComplete="username" value={email} readOnly hidden />
        {change.isError && problemOf('current_password') === undefined && <Failure error={change.error} />}
        <TextField
          label="Current password"
          type="password"
          autoComplete="current-password"
          required
          error={problemOf('current_password')}
          value={current}
          onChange={setCurrent}
        />
        <TextField
          label="New password"
          type="password"
          autoComplete="new-password"
          required
          minLength={shortestPassword}
          help={`At least ${shortestPassword} characters.`}
          value={next}
          onChange={setNext}
        />
        <div>
          <Button kind="primary" type="submit" isBusy={change.isPending}>
            Change password
          </Button>
        </div>
      </form>
    </Piece>
  );
}
