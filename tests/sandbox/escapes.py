"""Fifty ways out of a Python sandbox, as public write-ups on escapes and jail challenges have them.

Each is a program. They look for a shell, files, the environment, the network, other processes, the host's memory, or a
crash of the interpreter, by object graphs, frames, the import system, the compiler, native code, and what WASI offers.
A program may print what it found: nothing that it prints may come from this machine.
"""

ESCAPES = {
    # a shell, by one name or another
    "os.system": "import os; print(os.system('cat /etc/passwd'))",
    "os.popen": "import os; print(os.popen('id').read())",
    "os.execv": "import os; os.execv('/bin/sh', ['sh', '-c', 'id'])",
    "os.spawn": "import os; print(os.spawnlp(os.P_WAIT, 'sh', 'sh', '-c', 'id'))",
    "os.posix_spawn": "import os; os.posix_spawn('/bin/sh', ['sh'], {})",
    "posix module": "import posix; print(posix.system('id'))",
    "subprocess": "import subprocess; print(subprocess.getoutput('id'))",
    "fork_exec": "import _posixsubprocess as p; print(dir(p)); p.fork_exec()",
    "pty.spawn": "import pty; pty.spawn('/bin/sh')",
    "multiprocessing": "import multiprocessing as m; p = m.Process(target=print); p.start()",
    "webbrowser": "import webbrowser; print(webbrowser.open('file:///etc/passwd'))",
    # the object graph
    "subclasses": (
        "for c in ().__class__.__base__.__subclasses__():\n"
        "    g = getattr(c.__init__, '__globals__', {})\n"
        "    if 'sys' in g:\n"
        "        print(c, g['sys'].modules['os'].system('id'))"
    ),
    "Popen among subclasses": (
        "import subprocess; print([c for c in object.__subclasses__() if c.__name__ == 'Popen'][0]('id', shell=True))"
    ),
    "catch_warnings": (
        "import warnings; [c for c in object.__subclasses__() if c.__name__ == 'catch_warnings'][0]()"
        "._module.__builtins__['__import__']('os').system('id')"
    ),
    "os._wrap_close": (
        "import os; print([c for c in object.__subclasses__() if 'wrap_close' in c.__name__][0]"
        ".__init__.__globals__['system']('id'))"
    ),
    "builtins of a function": "print((lambda: 0).__globals__['__builtins__'].open('/etc/passwd').read())",
    "mro": "print(''.__class__.__mro__[-1].__subclasses__()[40:60]); open('/etc/passwd')",
    "format string": "print('{0.__class__.__init__.__globals__}'.format(type('A', (), {'__init__': lambda s: 0})()))",
    "gc": "import gc; print([o for o in gc.get_objects() if isinstance(o, dict) and 'SECRET' in str(o.keys())])",
    "breakpoint": "import pdb; pdb.run('!import os; os.system(\"id\")')",
    "help pager": "import pydoc; pydoc.pager = pydoc.pipepager; print(pydoc.pipepager('x', 'sh -c id'))",
    "license": "import _sitebuiltins; print(_sitebuiltins._Printer('x', '', ['passwd'], ['/etc']))",
    # frames, and the code that called
    "frame globals": (
        "import sys\nframe = sys._getframe()\n"
        "while frame:\n    print(sorted(frame.f_globals)[:9])\n    frame = frame.f_back"
    ),
    "generator frame": "g = (g.gi_frame.f_back.f_back for _ in [1]); print([*g][0].f_globals['os'].environ)",
    "traceback frame": (
        "try:\n    1 / 0\nexcept Exception as e:\n    f = e.__traceback__.tb_frame\n"
        "    while f.f_back: f = f.f_back\n    print(f.f_globals['sys'].modules['os'].environ)"
    ),
    "settrace": "import sys; sys.settrace(lambda *a: open('/etc/passwd'))\ndef f(): pass\nf()",
    "audit hook": "import sys; sys.addaudithook(lambda *a: print(a[0])); open('/etc/passwd')",
    # the import system
    "reload": "import importlib, os; importlib.reload(os); print(os.listdir('/home'))",
    "loader": "print(__builtins__.__loader__.load_module('posix').listdir('/'))",
    "FileLoader": "import importlib.machinery as m; print(m.SourceFileLoader('x', '').get_data('/etc/passwd'))",
    "linecache": "import linecache; print(linecache.getlines('/etc/passwd'))",
    "pkgutil": "import pkgutil; print(pkgutil.get_data('os', '../../../../etc/passwd'))",
    "zipimport": "import zipimport; print(zipimport.zipimporter('/etc').get_data('/etc/passwd'))",
    "sys.path": "import sys; sys.path.insert(0, '/'); sys.path_importer_cache.clear(); import home",
    "ExtensionFileLoader": "import importlib.machinery as m; m.ExtensionFileLoader('x', '/lib/x.so').load_module()",
    # unpickling, templates, archives
    "pickle": "import pickle; pickle.loads(b\"cos\\nsystem\\n(S'id'\\ntR.\")",
    "tarfile": "import tarfile, io; tarfile.open('/tmp/x.tar', 'w').add('/etc/passwd')",
    "logging": "import logging.config as c; c.fileConfig('/etc/passwd')",
    # native code
    "ctypes": "import ctypes; ctypes.CDLL('libc.so.6').system(b'id')",
    "ctypes at zero": "import ctypes; print(ctypes.string_at(0, 10**6)[:99])",
    "cffi": "import _cffi_backend; print(_cffi_backend.load_library(None))",
    "mmap": "import mmap; print(mmap.mmap(-1, 10**9)[:9])",
    "proc mem": "open('/proc/self/mem', 'r+b').seek(0)",
    "read all": (
        "import os\nfor n in range(3, 40):\n"
        "    try:\n        print(n, os.read(n, 99), os.fstat(n))\n    except OSError: pass"
    ),
    "write to all": (
        "import os\nfor n in range(3, 40):\n"
        "    try:\n        os.write(n, b'x'); os.ftruncate(n, 0)\n    except OSError: pass"
    ),
    # the interpreter itself: crashes that other write-ups turn into memory access
    "bad bytecode": (
        "f = lambda: 0\ncode = f.__code__.replace(co_code=b'\\x7c\\xff' * 60, co_stacksize=0)\n"
        "print(type(f)(code, {})())"
    ),
    "marshal": "import marshal; print(exec(marshal.loads(b'\\xe3' + b'\\xff' * 200)))",
    "use after free": (
        "class B(bytearray):\n    pass\nb = B(10**6)\n"
        "class I:\n    def __index__(self):\n        b.clear(); return 65\n"
        "b[10**5] = I()\nprint(bytes(b)[:9])"
    ),
    # what WASI has: folders that were opened beforehand, the door to the host
    "preopened parent": (
        "import os\nfor fd in range(3, 9):\n    for path in ('..', '../..', '../../etc/passwd', '/etc/passwd'):\n"
        "        try:\n            print(os.open(path, os.O_RDONLY, dir_fd=fd), os.listdir(fd))\n"
        "        except (OSError, ValueError, NotImplementedError, TypeError): pass\n"
        "print(open('/usr/local/lib/../../../etc/passwd').read())"
    ),
    "door": (
        "import _host\nfor ask in (b'', b'\\xff', b'[' * 10**5, b'{\"ask\": \"secret\"}', b'x' * 10**7,"
        " b'{\"end\": 3}', b'{\"failed\": []}', b'null', b'[\"end\"]', b'\"end\"'):\n    print(_host.call(ask))\n"
        'for _ in range(99): _host.call(b\'{"end": {"value": {}, "limit": "x", "stdout": 3}}\')'
    ),
}
