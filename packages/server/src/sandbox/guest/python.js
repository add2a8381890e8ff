/*
 * Python: MicroPython's WebAssembly build inside the same isolate, so that whatever bounds JavaScript bounds it too.
 * What it adds to the surface is one more function of texts: a request that blocks, since `requests` is synchronous.
 */
globalThis.__parts.python = function python({ pure, WebAssembly, write, waitFor, variables }) {
  const { parse, stringify } = JSON;
  const pageBytes = 65_536;

  /** The memory of WebAssembly stands beside the isolate's heap, whose limit does not see it. */
  function boundMemory(limitMb) {
    const { grow } = WebAssembly.Memory.prototype;
    WebAssembly.Memory.prototype.grow = function bounded(pages) {
      if (this.buffer.byteLength + pages * pageBytes > limitMb * 1024 * 1024) throw new RangeError('memory');
      return grow.call(this, pages);
    };
  }

  const standardModules = {
    'requests.py': `
import json as _json
import _inlay

class RequestException(Exception):
    pass

class HTTPError(RequestException):
    def __init__(self, message, response=None):
        super().__init__(message)
        self.response = response

class exceptions:
    RequestException = RequestException
    HTTPError = HTTPError
    ConnectionError = RequestException
    Timeout = RequestException

class Response:
    def __init__(self, answer):
        self.status_code = answer["status"]
        self.headers = answer["headers"]
        self.url = answer["url"]
        self.text = answer["text"]
        self.ok = self.status_code < 400
        self.reason = ""
    @property
    def content(self):
        return self.text.encode()
    def json(self):
        return _json.loads(self.text)
    def raise_for_status(self):
        if not self.ok:
            raise HTTPError("%d Error for url: %s" % (self.status_code, self.url), self)

def _quoted(value):
    kept = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
    return "".join(chr(b) if b in kept else "%%%02X" % b for b in str(value).encode())

def _encoded(values):
    pairs = values.items() if isinstance(values, dict) else values
    parts = []
    for name, value in pairs:
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is not None:
                parts.append(_quoted(name) + "=" + _quoted(one))
    return "&".join(parts)

def request(method, url, params=None, data=None, json=None, headers=None, auth=None, timeout=None, **ignored):
    sent = {str(k).lower(): str(v) for k, v in (headers or {}).items()}
    if params:
        url += ("&" if "?" in url else "?") + (params if isinstance(params, str) else _encoded(params))
    body = None
    if json is not None:
        body = _json.dumps(json)
        sent.setdefault("content-type", "application/json")
    elif isinstance(data, (dict, list, tuple)):
        body = _encoded(data)
        sent.setdefault("content-type", "application/x-www-form-urlencoded")
    elif data is not None:
        body = data.decode() if isinstance(data, bytes) else str(data)
    if auth is not None:
        import binascii
        pair = ("%s:%s" % (auth[0], auth[1])).encode()
        sent["authorization"] = "Basic " + binascii.b2a_base64(pair).decode().strip()
    asked = {"url": url, "method": method.upper(), "headers": sent}
    if body is not None:
        asked["body"] = body
    if timeout is not None:
        asked["timeoutMs"] = int((timeout[-1] if isinstance(timeout, tuple) else timeout) * 1000)
    answer = _json.loads(_inlay.request(_json.dumps(asked)))
    if "error" in answer:
        raise RequestException(answer["error"])
    return Response(answer)

def get(url, params=None, **rest): return request("GET", url, params=params, **rest)
def head(url, **rest): return request("HEAD", url, **rest)
def options(url, **rest): return request("OPTIONS", url, **rest)
def delete(url, **rest): return request("DELETE", url, **rest)
def post(url, data=None, json=None, **rest): return request("POST", url, data=data, json=json, **rest)
def put(url, data=None, **rest): return request("PUT", url, data=data, **rest)
def patch(url, data=None, **rest): return request("PATCH", url, data=data, **rest)

class Session:
    def __init__(self):
        self.headers = {}
        self.auth = None
    def request(self, method, url, headers=None, **rest):
        merged = dict(self.headers)
        merged.update(headers or {})
        if self.auth is not None:
            rest.setdefault("auth", self.auth)
        return request(method, url, headers=merged, **rest)
    def get(self, url, **rest): return self.request("GET", url, **rest)
    def post(self, url, **rest): return self.request("POST", url, **rest)
    def put(self, url, **rest): return self.request("PUT", url, **rest)
    def patch(self, url, **rest): return self.request("PATCH", url, **rest)
    def delete(self, url, **rest): return self.request("DELETE", url, **rest)
    def __enter__(self): return self
    def __exit__(self, *rest): return False
`,
    'uuid.py': `
import _inlay
def uuid4():
    return _inlay.uuid()
`,
    'workflow.py': `
import json as _json
import _inlay
def setVariable(name, value):
    _inlay.set_variable(name, _json.dumps(value))
def getVariable(name):
    return _json.loads(_inlay.get_variable(name))
set_variable = setVariable
get_variable = getVariable
`,
    'pandas.py': absentModule('pandas'),
    'numpy.py': absentModule('numpy'),
  };

  function absentModule(name) {
    return `raise ImportError("${name} is not available here: Python runs as MicroPython, without compiled packages. Use JavaScript, or plain Python lists and dicts.")\n`;
  }

  standardModules['_run.py'] = `
import json

async def run(entry, text):
    result = entry(json.loads(text))
    if hasattr(result, "send") and hasattr(result, "throw"):
        result = await result
    return json.dumps(result)
`;

  async function start(script, wasm, memoryMb) {
    boundMemory(memoryMb);
    globalThis.window = globalThis; // the build is for browsers, and asks
    void (0, eval)(script)(WebAssembly);
    const load = globalThis.loadMicroPython;
    delete globalThis.loadMicroPython;
    const module = new WebAssembly.Module(wasm);
    const machine = await load({
      heapsize: 4 * 1024 * 1024,
      pystack: 8192,
      instantiateWasm(imports, receive) {
        receive(new WebAssembly.Instance(module, imports), module);
        return {};
      },
      stdout: (line) => write('info', [line]),
      stderr: (line) => write('error', [line]),
    });
    delete globalThis.window;
    return machine;
  }

  /** The last line of a traceback with the line of the author's own text, which is what `<stdin>` names. */
  function explain(error) {
    const text = String(error?.message ?? error);
    const lines = text.trim().split('\n');
    const own = [...text.matchAll(/File "<stdin>", line (\d+)/g)].at(-1)?.[1];
    const last = lines.at(-1);
    return Object.assign(new Error(last), { name: '', own, isMemory: last.startsWith('MemoryError') });
  }

  return async function runPython({ script, wasm, code, paramsText, memoryMb }) {
    const machine = await start(script, wasm, memoryMb);
    machine.registerJsModule('_inlay', {
      request(text) {
        const { body, ...rest } = parse(text);
        const answer = waitFor({ ...rest, ...(body === undefined ? {} : { body }) });
        return stringify(answer);
      },
      uuid: () => pure('uuid').value,
      set_variable: (name, text) => variables.set(name, parse(text)),
      get_variable: (name) => stringify(variables.get(name) ?? null),
    });
    for (const [name, text] of Object.entries(standardModules)) machine.FS.writeFile(`/${name}`, text);
    try {
      machine.runPython('import workflow');
      machine.runPython(code);
      if (machine.globals.get('yourFunction') === undefined) {
        throw new TypeError('The code defines no function "def yourFunction(params):".');
      }
      machine.globals.set('__params', paramsText);
      await machine.runPythonAsync('import _run\n__result = await _run.run(yourFunction, __params)');
      return machine.globals.get('__result');
    } catch (error) {
      throw error?.name === 'PythonError' ? explain(error) : error;
    }
  };
};
