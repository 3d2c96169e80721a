/* text.c: see text.h. Both languages stand side by side, so that who changes one sees the other; a test compares their
 * conversions. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

static const char *const texts[TEXTS][LANGS] = {
	[TEXT_LOST] = { "lost", "丢失" },
	[TEXT_SEEMS_LOST] = { "lost, it seems", "疑似丢失" },
	[TEXT_AGAIN] = { "sent again", "重传" },
	[TEXT_LATE] = { "out of order", "乱序" },
	[TEXT_COMMA] = { ", ", "，" },
	[TEXT_REMARKED] = { "%s (%s)", "%s（%s）" },
	[TEXT_ONE_SEGMENT] = { "%llu segment with %llu bytes one way, %llu the other",
			       "%llu 个报文段：由左向右 %llu 字节，由右向左 %llu 字节" },
	[TEXT_SEGMENTS] = { "%llu segments with %llu bytes one way, %llu the other",
			    "%llu 个报文段：由左向右 %llu 字节，由右向左 %llu 字节" },
	[TEXT_LEFT_OUT] = { "%llu segments are left out here, with %llu bytes one way, %llu the other",
			    "此处略去 %llu 个报文段：由左向右 %llu 字节，由右向左 %llu 字节" },
	[TEXT_SOME_LOST] = { ", %llu lost", "，丢失 %llu 个" },
	[TEXT_SOME_AGAIN] = { ", %llu sent again", "，重传 %llu 个" },
	[TEXT_LATER] = { "%s later", "%s 之后" },
	[TEXT_CONNECTION] = { "TCP connection %s - %s", "TCP 连接 %s - %s" },
	[TEXT_CONNECTIONS_LEFT_OUT] = { "%llu more connections are left out; --port PORT chooses among them.",
					"另有 %llu 个连接未画出；可用 --port PORT 选择。" },
	[TEXT_NO_CONNECTION] = { "there is no TCP connection in %s.", "%s 中没有 TCP 连接。" },
	[TEXT_NO_CONNECTION_WITH_PORT] = { "there is no TCP connection with that port in %s.", "%s 中没有使用该端口的 TCP 连接。" },
	[TEXT_NO_MEMORY] = { "out of memory.", "内存不足。" },
	[TEXT_NO_MEMORY_FOR_ALL] = { "out of memory: some segments are missing.", "内存不足：缺少部分报文段。" },
	[TEXT_CUT] = { "%s frames were cut short when they were captured, and are left out.", "%s 个帧在抓包时被截短，未画出。" },
	[TEXT_NOT_WRITTEN] = { "the output cannot be written: %s.", "无法写出结果：%s。" },
};

static const char *const words[LANGS] = { [LANG_EN] = "en", [LANG_ZH] = "zh" };
static enum lang chosen = LANG_EN;

const char *text_of(enum text which) { return texts[which][chosen]; }
enum lang lang_chosen(void) { return chosen; }
const char *lang_word(enum lang lang) { return words[lang]; }

bool lang_choose(const char *word)
{
	for (enum lang i = 0; i < LANGS; i++)
		if (strcmp(word, words[i]) == 0) {
			chosen = i;
			return true;
		}
	return false;
}

void lang_choose_by_locale(void)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
	const char *locale = "";
	for (size_t i = 0; i < sizeof names / sizeof names[0] && !*locale; i++)
		if (getenv(names[i]))
			locale = getenv(names[i]);
	/* The table is in simplified characters: who reads traditional ones asks for it by --lang. */
	chosen = strncmp(locale, "zh_CN", 5) == 0 || strncmp(locale, "zh_SG", 5) == 0 ? LANG_ZH : LANG_EN;
}
