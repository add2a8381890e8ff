import { useMutation } from '@tanstack/react-query';
import { Link, useNavigate, useRouter, useSearch } from '@tanstack/react-router';
import { type FormEvent, useEffect, useState } from 'react';
import { Button } from '#components/button.tsx';
import { signIn } from '../../api/session.ts';
import { Failure } from '../../parts/failure.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { Gate } from './gate.tsx';

export function SignInPage() {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const { next } = useSearch({ from: '/sign-in' });
  const navigate = useNavigate();
  const router = useRouter();
  useEffect(() => {
    document.title = 'Sign in · Inlay';
  }, []);
  const attempt = useMutation({
    mutationFn: () => signIn({ email, password }),
    onSuccess: () =>
      next === undefined
        ? navigate({ to: '/$environment', params: { environment: 'test' } })
        : router.history.push(next),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    attempt.mutate();
  };
  return (
    <Gate>
      <h1>Sign in</h1>
      <form className="form" onSubmit={submit}>
        {attempt.isError && <Failure error={attempt.error} />}
        <TextField
          label="Email"
          type="email"
          autoComplete="username"
          required
          value={email}
          onChange={setEmail}
        />
        <TextField
          label="Password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={setPassword}
        />
        <Button kind="primary" type="submit" isBusy={attempt.isPending}>
          Sign in
        </Button>
      </form>
      <p className="muted">
        New here? <Link to="/sign-up">Create an organisation</Link>. On a first start, the terminal shows the
        owner’s sign-in.
      </p>
    </Gate>
  );
}
