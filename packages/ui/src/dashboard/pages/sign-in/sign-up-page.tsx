import { useMutation } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { type FormEvent, useEffect, useState } from 'react';
import { Button } from '#components/button.tsx';
import { ApiError } from '../../api/http.ts';
import { signUp } from '../../api/session.ts';
import { Failure } from '../../parts/failure.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { Gate } from './gate.tsx';

const shortestPassword = 10;

export function SignUpPage() {
  const [form, setForm] = useState({ name: '', organization: '', email: '', password: '' });
  const navigate = useNavigate();
  useEffect(() => {
    document.title = 'Create an organisation · Inlay';
  }, []);
  const attempt = useMutation({
    mutationFn: () => signUp(form),
    onSuccess: () => navigate({ to: '/$environment', params: { environment: 'test' } }),
  });
  const problemOf = (path: string) =>
    attempt.error instanceof ApiError ? attempt.error.problemOf(path) : undefined;
  const field = (name: keyof typeof form) => ({
    value: form[name],
    onChange: (value: string) => setForm({ ...form, [name]: value }),
    error: problemOf(name),
    required: true,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    attempt.mutate();
  };
  return (
    <Gate>
      <h1>Create an organisation</h1>
      <form className="form" onSubmit={submit}>
        {attempt.isError && !(attempt.error instanceof ApiError && attempt.error.problems.length > 0) && (
          <Failure error={attempt.error} />
        )}
        <TextField label="Your name" autoComplete="name" {...field('name')} />
        <TextField label="Company" autoComplete="organization" {...field('organization')} />
        <TextField label="Work email" type="email" autoComplete="username" {...field('email')} />
        <TextField
          label="Password"
          type="password"
          autoComplete="new-password"
          minLength={shortestPassword}
          help={`At least ${shortestPassword} characters.`}
          {...field('password')}
        />
        <Button kind="primary" type="submit" isBusy={attempt.isPending}>
          Create organisation
        </Button>
      </form>
      <p className="muted">
        You get a test and a production environment, each with its own API key. Already have an account?{' '}
        <Link to="/sign-in">Sign in</Link>.
      </p>
    </Gate>
  );
}
