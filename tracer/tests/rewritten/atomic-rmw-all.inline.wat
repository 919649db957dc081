;; site 8 (0x8): i32.atomic.rmw.sub of function 0 at 0x26
;; site 9 (0x9): i32.atomic.rmw.and of function 0 at 0x2f
;; site 10 (0xa): i32.atomic.rmw.or of function 0 at 0x38
;; site 11 (0xb): i32.atomic.rmw.xor of function 0 at 0x41
;; site 12 (0xc): i32.atomic.rmw.xchg of function 0 at 0x4a
;; site 13 (0xd): i32.atomic.rmw8.add_u of function 0 at 0x53
;; site 14 (0xe): i32.atomic.rmw8.sub_u of function 0 at 0x5c
;; site 15 (0xf): i32.atomic.rmw8.and_u of function 0 at 0x65
;; site 16 (0x10): i32.atomic.rmw8.or_u of function 0 at 0x6e
;; site 17 (0x11): i32.atomic.rmw8.xor_u of function 0 at 0x77
;; site 18 (0x12): i32.atomic.rmw8.xchg_u of function 0 at 0x80
;; site 19 (0x13): i32.atomic.rmw8.cmpxchg_u of function 0 at 0x8b
;; site 20 (0x14): i32.atomic.rmw16.add_u of function 0 at 0x94
;; site 21 (0x15): i32.atomic.rmw16.sub_u of function 0 at 0x9d
;; site 22 (0x16): i32.atomic.rmw16.and_u of function 0 at 0xa6
;; site 23 (0x17): i32.atomic.rmw16.or_u of function 0 at 0xaf
;; site 24 (0x18): i32.atomic.rmw16.xor_u of function 0 at 0xb8
;; site 25 (0x19): i32.atomic.rmw16.xchg_u of function 0 at 0xc1
;; site 26 (0x1a): i32.atomic.rmw16.cmpxchg_u of function 0 at 0xcc
;; site 27 (0x1b): i64.atomic.rmw.add of function 0 at 0xd5
;; site 28 (0x1c): i64.atomic.rmw.sub of function 0 at 0xde
;; site 29 (0x1d): i64.atomic.rmw.and of function 0 at 0xe7
;; site 30 (0x1e): i64.atomic.rmw.or of function 0 at 0xf0
;; site 31 (0x1f): i64.atomic.rmw.xor of function 0 at 0xf9
;; site 32 (0x20): i64.atomic.rmw.xchg of function 0 at 0x102
;; site 33 (0x21): i64.atomic.rmw.cmpxchg of function 0 at 0x10d
;; site 34 (0x22): i64.atomic.rmw8.add_u of function 0 at 0x116
;; site 35 (0x23): i64.atomic.rmw8.sub_u of function 0 at 0x11f
;; site 36 (0x24): i64.atomic.rmw8.and_u of function 0 at 0x128
;; site 37 (0x25): i64.atomic.rmw8.or_u of function 0 at 0x131
;; site 38 (0x26): i64.atomic.rmw8.xor_u of function 0 at 0x13a
;; site 39 (0x27): i64.atomic.rmw8.cmpxchg_u of function 0 at 0x145
;; site 40 (0x28): i64.atomic.rmw16.add_u of function 0 at 0x14e
;; site 41 (0x29): i64.atomic.rmw16.sub_u of function 0 at 0x157
;; site 42 (0x2a): i64.atomic.rmw16.and_u of function 0 at 0x160
;; site 43 (0x2b): i64.atomic.rmw16.or_u of function 0 at 0x169
;; site 44 (0x2c): i64.atomic.rmw16.xor_u of function 0 at 0x172
;; site 45 (0x2d): i64.atomic.rmw16.xchg_u of function 0 at 0x17b
;; site 46 (0x2e): i64.atomic.rmw16.cmpxchg_u of function 0 at 0x186
;; site 47 (0x2f): i64.atomic.rmw32.add_u of function 0 at 0x18f
;; site 48 (0x30): i64.atomic.rmw32.sub_u of function 0 at 0x198
;; site 49 (0x31): i64.atomic.rmw32.and_u of function 0 at 0x1a1
;; site 50 (0x32): i64.atomic.rmw32.or_u of function 0 at 0x1aa
;; site 51 (0x33): i64.atomic.rmw32.xor_u of function 0 at 0x1b3
;; site 52 (0x34): i64.atomic.rmw32.xchg_u of function 0 at 0x1bc
;; site 53 (0x35): i64.atomic.rmw32.cmpxchg_u of function 0 at 0x1c7
;; segment 16 (0x10): sites 8 to 53
(module
  (type (;0;) (func (param i32 i32 i64)))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (param i32) (result i32)))
  (import "forkpoint" "flush" (func (;0;) (type 1)))
  (memory (;0;) 1 1 shared)
  (memory (;1;) 17 17)
  (export "forkpoint:memory.0" (memory 0))
  (export "forkpoint:buffer" (memory 1))
  (func (;1;) (type 0) (param $p i32) (param $i32 i32) (param $i64 i64)
    (local i32 i32 i32 i32 i64 i64)
    local.get $p
    local.get $i32
    i32.const 0
    i32.load 1
    local.set 3
    local.get 3
    i32.const 1048560
    i32.gt_u
    if ;; label = @1
      local.get 3
      call 2
      local.set 3
    end
    local.get 3
    i32.const 16
    i32.store 1 offset=16 align=1
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw.sub offset=8
    local.get 4
    i32.load offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=20 align=1
    local.get 3
    local.get 5
    i32.store 1 offset=24 align=1
    i32.const 0
    local.get 3
    i32.const 12
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw.and offset=8
    local.get 4
    i32.load offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=28 align=1
    local.get 3
    local.get 5
    i32.store 1 offset=32 align=1
    i32.const 0
    local.get 3
    i32.const 20
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw.or offset=8
    local.get 4
    i32.load offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=36 align=1
    local.get 3
    local.get 5
    i32.store 1 offset=40 align=1
    i32.const 0
    local.get 3
    i32.const 28
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw.xor offset=8
    local.get 4
    i32.load offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=44 align=1
    local.get 3
    local.get 5
    i32.store 1 offset=48 align=1
    i32.const 0
    local.get 3
    i32.const 36
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw.xchg offset=8
    local.get 4
    i32.load offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=52 align=1
    local.get 3
    local.get 5
    i32.store 1 offset=56 align=1
    i32.const 0
    local.get 3
    i32.const 44
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw8.add_u offset=8
    local.get 4
    i32.load8_u offset=8
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=60 align=1
    local.get 3
    local.get 5
    i32.store8 1 offset=64
    i32.const 0
    local.get 3
    i32.const 49
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw8.sub_u offset=8
    local.get 4
    i32.load8_u offset=8
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=65 align=1
    local.get 3
    local.get 5
    i32.store8 1 offset=69
    i32.const 0
    local.get 3
    i32.const 54
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw8.and_u offset=8
    local.get 4
    i32.load8_u offset=8
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=70 align=1
    local.get 3
    local.get 5
    i32.store8 1 offset=74
    i32.const 0
    local.get 3
    i32.const 59
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw8.or_u offset=8
    local.get 4
    i32.load8_u offset=8
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=75 align=1
    local.get 3
    local.get 5
    i32.store8 1 offset=79
    i32.const 0
    local.get 3
    i32.const 64
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw8.xor_u offset=8
    local.get 4
    i32.load8_u offset=8
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=80 align=1
    local.get 3
    local.get 5
    i32.store8 1 offset=84
    i32.const 0
    local.get 3
    i32.const 69
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw8.xchg_u offset=8
    local.get 4
    i32.load8_u offset=8
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=85 align=1
    local.get 3
    local.get 5
    i32.store8 1 offset=89
    i32.const 0
    local.get 3
    i32.const 74
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.get $i32
    local.set 6
    local.set 5
    local.tee 4
    local.get 5
    local.get 6
    i32.atomic.rmw8.cmpxchg_u offset=8
    local.get 4
    i32.load8_u offset=8
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=90 align=1
    local.get 3
    local.get 5
    i32.store8 1 offset=94
    i32.const 0
    local.get 3
    i32.const 79
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw16.add_u offset=8
    local.get 4
    i32.load16_u offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=95 align=1
    local.get 3
    local.get 5
    i32.store16 1 offset=99 align=1
    i32.const 0
    local.get 3
    i32.const 85
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw16.sub_u offset=8
    local.get 4
    i32.load16_u offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=101 align=1
    local.get 3
    local.get 5
    i32.store16 1 offset=105 align=1
    i32.const 0
    local.get 3
    i32.const 91
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw16.and_u offset=8
    local.get 4
    i32.load16_u offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=107 align=1
    local.get 3
    local.get 5
    i32.store16 1 offset=111 align=1
    i32.const 0
    local.get 3
    i32.const 97
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw16.or_u offset=8
    local.get 4
    i32.load16_u offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=113 align=1
    local.get 3
    local.get 5
    i32.store16 1 offset=117 align=1
    i32.const 0
    local.get 3
    i32.const 103
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw16.xor_u offset=8
    local.get 4
    i32.load16_u offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=119 align=1
    local.get 3
    local.get 5
    i32.store16 1 offset=123 align=1
    i32.const 0
    local.get 3
    i32.const 109
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.set 5
    local.tee 4
    local.get 5
    i32.atomic.rmw16.xchg_u offset=8
    local.get 4
    i32.load16_u offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=125 align=1
    local.get 3
    local.get 5
    i32.store16 1 offset=129 align=1
    i32.const 0
    local.get 3
    i32.const 115
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i32
    local.get $i32
    local.set 6
    local.set 5
    local.tee 4
    local.get 5
    local.get 6
    i32.atomic.rmw16.cmpxchg_u offset=8
    local.get 4
    i32.load16_u offset=8 align=1
    local.set 5
    local.get 3
    local.get 4
    i32.store 1 offset=131 align=1
    local.get 3
    local.get 5
    i32.store16 1 offset=135 align=1
    i32.const 0
    local.get 3
    i32.const 121
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw.add offset=8
    local.get 4
    i64.load offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=137 align=1
    local.get 3
    local.get 7
    i64.store 1 offset=141 align=1
    i32.const 0
    local.get 3
    i32.const 133
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw.sub offset=8
    local.get 4
    i64.load offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=149 align=1
    local.get 3
    local.get 7
    i64.store 1 offset=153 align=1
    i32.const 0
    local.get 3
    i32.const 145
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw.and offset=8
    local.get 4
    i64.load offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=161 align=1
    local.get 3
    local.get 7
    i64.store 1 offset=165 align=1
    i32.const 0
    local.get 3
    i32.const 157
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw.or offset=8
    local.get 4
    i64.load offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=173 align=1
    local.get 3
    local.get 7
    i64.store 1 offset=177 align=1
    i32.const 0
    local.get 3
    i32.const 169
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw.xor offset=8
    local.get 4
    i64.load offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=185 align=1
    local.get 3
    local.get 7
    i64.store 1 offset=189 align=1
    i32.const 0
    local.get 3
    i32.const 181
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw.xchg offset=8
    local.get 4
    i64.load offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=197 align=1
    local.get 3
    local.get 7
    i64.store 1 offset=201 align=1
    i32.const 0
    local.get 3
    i32.const 193
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.get $i64
    local.set 8
    local.set 7
    local.tee 4
    local.get 7
    local.get 8
    i64.atomic.rmw.cmpxchg offset=8
    local.get 4
    i64.load offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=209 align=1
    local.get 3
    local.get 7
    i64.store 1 offset=213 align=1
    i32.const 0
    local.get 3
    i32.const 205
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw8.add_u offset=8
    local.get 4
    i64.load8_u offset=8
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=221 align=1
    local.get 3
    local.get 7
    i64.store8 1 offset=225
    i32.const 0
    local.get 3
    i32.const 210
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw8.sub_u offset=8
    local.get 4
    i64.load8_u offset=8
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=226 align=1
    local.get 3
    local.get 7
    i64.store8 1 offset=230
    i32.const 0
    local.get 3
    i32.const 215
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw8.and_u offset=8
    local.get 4
    i64.load8_u offset=8
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=231 align=1
    local.get 3
    local.get 7
    i64.store8 1 offset=235
    i32.const 0
    local.get 3
    i32.const 220
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw8.or_u offset=8
    local.get 4
    i64.load8_u offset=8
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=236 align=1
    local.get 3
    local.get 7
    i64.store8 1 offset=240
    i32.const 0
    local.get 3
    i32.const 225
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw8.xor_u offset=8
    local.get 4
    i64.load8_u offset=8
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=241 align=1
    local.get 3
    local.get 7
    i64.store8 1 offset=245
    i32.const 0
    local.get 3
    i32.const 230
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.get $i64
    local.set 8
    local.set 7
    local.tee 4
    local.get 7
    local.get 8
    i64.atomic.rmw8.cmpxchg_u offset=8
    local.get 4
    i64.load8_u offset=8
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=246 align=1
    local.get 3
    local.get 7
    i64.store8 1 offset=250
    i32.const 0
    local.get 3
    i32.const 235
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw16.add_u offset=8
    local.get 4
    i64.load16_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=251 align=1
    local.get 3
    local.get 7
    i64.store16 1 offset=255 align=1
    i32.const 0
    local.get 3
    i32.const 241
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw16.sub_u offset=8
    local.get 4
    i64.load16_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=257 align=1
    local.get 3
    local.get 7
    i64.store16 1 offset=261 align=1
    i32.const 0
    local.get 3
    i32.const 247
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw16.and_u offset=8
    local.get 4
    i64.load16_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=263 align=1
    local.get 3
    local.get 7
    i64.store16 1 offset=267 align=1
    i32.const 0
    local.get 3
    i32.const 253
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw16.or_u offset=8
    local.get 4
    i64.load16_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=269 align=1
    local.get 3
    local.get 7
    i64.store16 1 offset=273 align=1
    i32.const 0
    local.get 3
    i32.const 259
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw16.xor_u offset=8
    local.get 4
    i64.load16_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=275 align=1
    local.get 3
    local.get 7
    i64.store16 1 offset=279 align=1
    i32.const 0
    local.get 3
    i32.const 265
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw16.xchg_u offset=8
    local.get 4
    i64.load16_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=281 align=1
    local.get 3
    local.get 7
    i64.store16 1 offset=285 align=1
    i32.const 0
    local.get 3
    i32.const 271
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.get $i64
    local.set 8
    local.set 7
    local.tee 4
    local.get 7
    local.get 8
    i64.atomic.rmw16.cmpxchg_u offset=8
    local.get 4
    i64.load16_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=287 align=1
    local.get 3
    local.get 7
    i64.store16 1 offset=291 align=1
    i32.const 0
    local.get 3
    i32.const 277
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw32.add_u offset=8
    local.get 4
    i64.load32_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=293 align=1
    local.get 3
    local.get 7
    i64.store32 1 offset=297 align=1
    i32.const 0
    local.get 3
    i32.const 285
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw32.sub_u offset=8
    local.get 4
    i64.load32_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=301 align=1
    local.get 3
    local.get 7
    i64.store32 1 offset=305 align=1
    i32.const 0
    local.get 3
    i32.const 293
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw32.and_u offset=8
    local.get 4
    i64.load32_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=309 align=1
    local.get 3
    local.get 7
    i64.store32 1 offset=313 align=1
    i32.const 0
    local.get 3
    i32.const 301
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw32.or_u offset=8
    local.get 4
    i64.load32_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=317 align=1
    local.get 3
    local.get 7
    i64.store32 1 offset=321 align=1
    i32.const 0
    local.get 3
    i32.const 309
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw32.xor_u offset=8
    local.get 4
    i64.load32_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=325 align=1
    local.get 3
    local.get 7
    i64.store32 1 offset=329 align=1
    i32.const 0
    local.get 3
    i32.const 317
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.set 7
    local.tee 4
    local.get 7
    i64.atomic.rmw32.xchg_u offset=8
    local.get 4
    i64.load32_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=333 align=1
    local.get 3
    local.get 7
    i64.store32 1 offset=337 align=1
    i32.const 0
    local.get 3
    i32.const 325
    i32.add
    i32.store 1
    drop
    local.get $p
    local.get $i64
    local.get $i64
    local.set 8
    local.set 7
    local.tee 4
    local.get 7
    local.get 8
    i64.atomic.rmw32.cmpxchg_u offset=8
    local.get 4
    i64.load32_u offset=8 align=1
    local.set 7
    local.get 3
    local.get 4
    i32.store 1 offset=341 align=1
    local.get 3
    local.get 7
    i64.store32 1 offset=345 align=1
    i32.const 0
    local.get 3
    i32.const 333
    i32.add
    i32.store 1
    drop
  )
  (func (;2;) (type 2) (param i32) (result i32)
    i32.const 0
    local.get 0
    i32.store 1
    local.get 0
    call 0
    i32.const 0
    i32.const 0
    i32.load 1 offset=12
    local.tee 0
    i32.store 1
    local.get 0
  )
)
